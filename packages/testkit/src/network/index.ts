export { freePort } from "./freePort.ts"
export { TcpProxy } from "./TcpProxy.ts"
export { type Target, targetOf } from "./target.ts"
