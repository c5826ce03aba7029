export { type RedisBackendOptions, redisBackend } from "./backend.ts"
export type { AppRedis, RedisClient, RedisCluster, RedisConnection, Subscriber } from "./client.ts"
