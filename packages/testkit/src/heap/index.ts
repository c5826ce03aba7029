export { collectYoung, heldBytes, heldNow, usedBytes } from "./heldBytes.ts"
