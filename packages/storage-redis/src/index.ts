export { type RedisBackendOptions, redisBackend } from "./backend.ts"
export type { Redis, RedisClient, RedisCluster, RedisConnection, Subscriber } from "./client.ts"
