/**
 * What a bucket of an event and a primary key is called, for storages that find buckets by a digest of it. Neither holds
 * U+0000, so two buckets can't be confused.
 */
export const bucketName = (event: string, primaryKey: string): string => `${event}\0${primaryKey}`
