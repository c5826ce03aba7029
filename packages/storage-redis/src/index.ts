export { redisBackend } from "./backend.ts"
export type { RedisCluster } from "./client.ts"
