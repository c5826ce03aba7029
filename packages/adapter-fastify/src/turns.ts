/** A stream that can hold back what is written to it. */
export interface Corkable {
  readonly cork: () => void
  readonly uncork: () => void
}

/** A socket, if it can hold back: the requests of `app.injectWS` have none. */
export const corkable = (socket: Partial<Corkable> | undefined): Corkable | undefined =>
  socket?.cork === undefined ? undefined : (socket as Corkable)

/** Holds back what is written to a socket until what goes on now is done: several small writes are one system call then. */
export const holdForTurn = (socket: Corkable | undefined): void => {
  if (socket === undefined) return
  socket.cork()
  process.nextTick(() => socket.uncork())
}

/** What is worth holding back, in bytes. What is more costs a system call of its own anyway, and should not be held for long. */
const maxHeldBytes = 4 * 1024

/** Sends the small frames of one turn together. */
export class TurnSender {
  readonly #socket: Corkable | undefined
  readonly #release = () => this.release()
  #heldBytes: number | undefined

  constructor(socket: Corkable | undefined) {
    this.#socket = socket
  }

  /** Sends a frame, by a function that writes it to the socket. */
  send(bytes: number, write: () => void): void {
    if (this.#socket !== undefined && this.#heldBytes === undefined && bytes <= maxHeldBytes) {
      this.#heldBytes = 0
      this.#socket.cork()
      process.nextTick(this.#release)
    }
    write()
    if (this.#heldBytes === undefined) return
    this.#heldBytes += bytes
    if (this.#heldBytes > maxHeldBytes) this.release()
  }

  /** Lets go out what is held back. */
  release(): void {
    if (this.#heldBytes === undefined) return
    this.#heldBytes = undefined
    this.#socket?.uncork()
  }
}
