import type { Clock } from "./clock.ts"
import type { Device } from "./device.ts"
import type { Batches } from "./entries.ts"
import { failing } from "./failing.ts"
import { type Address, protocols } from "./protocols.ts"
import { Tally } from "./Tally.ts"

/** Clients that each write a batch, wait for its Ack, and write the next; or that write at a rate. */
export interface WriteJob extends Address {
  readonly kind: "write"
  readonly clients: number
  readonly batch: number
  /** The clients are spread over the stores `store-0`, `store-1`… */
  readonly stores: number
  readonly seconds: number
  /** Batches a second, of all clients in turn. @default the next one of each follows the Ack of its last */
  readonly rate?: number | undefined
}

interface Writer {
  readonly device: Device
  readonly source: Batches
}

/** What is prepared for all writers is for so many at the same time. */
const concurrency = 50

/** Runs some work for each of some things, so many at the same time. */
const forEach = async <A>(all: Iterable<A>, work: (one: A) => Promise<void>): Promise<void> => {
  const left = all[Symbol.iterator]()
  const runSome = async (): Promise<void> => {
    for (let next = left.next(); !next.done; next = left.next()) await work(next.value)
  }
  await Promise.all(Array.from({ length: concurrency }, runSome))
}

const openWriters = async (job: WriteJob, onFailure: (reason: string) => void): Promise<ReadonlyArray<Writer>> => {
  const { batches, open } = protocols[job.protocol]
  const writers: Array<Writer> = []
  await forEach(Array(job.clients).keys(), async (index) => {
    const storeId = `store-${index % job.stores}`
    const device = await open({ url: job.url, storeId, onFailure })
    writers.push({ device, source: batches(storeId, { batch: job.batch }) })
  })
  return writers
}

/** Lets the writers write in turn, so many batches a second altogether, whether Acks come or not. */
const writeAtRate = (writers: ReadonlyArray<Writer>, rate: number, write: (writer: Writer) => void): void => {
  const from = performance.now()
  let written = 0
  setInterval(() => {
    const due = ((performance.now() - from) / 1_000) * rate
    while (written < due) write(writers[written++ % writers.length]!)
  }, 1)
}

/** Writes for a while and tells how fast that was. */
export const write = async (job: WriteJob, clock: Clock): Promise<Record<string, number>> => {
  const { onFailure, orFail } = failing()
  const tally = new Tally(clock)
  const writeOne = ({ device, source }: Writer, then: () => void): void => {
    const sentAt = performance.now()
    device.write(source, () => {
      tally.add(job.batch, sentAt)
      then()
    })
  }
  const keepWriting = (writer: Writer): void => writeOne(writer, () => keepWriting(writer))
  const writeOnce = (writer: Writer) => new Promise<void>((resolve) => writeOne(writer, resolve))

  const writers = await orFail(openWriters(job, onFailure))
  if (job.rate === undefined) for (const writer of writers) keepWriting(writer)
  else {
    // The first write of a store costs more, and it may be long until all have had theirs.
    await orFail(forEach(writers, writeOnce))
    writeAtRate(writers, job.rate, (writer) => writeOne(writer, () => {}))
  }
  return orFail(tally.run(job.seconds))
}
