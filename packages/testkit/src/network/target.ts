/** Where a proxy leads to: a port of this machine, unless it names another. */
export interface Target {
  readonly host?: string
  readonly port: number
}

const usualPorts: Readonly<Record<string, number>> = { "postgres:": 5432, "mysql:": 3306, "redis:": 6379 }

/** Where the server of a url is. */
export const targetOf = (url: string): Target => {
  const { hostname, port, protocol } = new URL(url)
  return { host: hostname, port: Number(port || usualPorts[protocol]) }
}
