import { type Script, script } from "../script.ts"

/** A script on the keys of one store, or of one public key, which is run for one of them or for many at once. */
export interface EachScript {
  readonly one: Script
  /** Its first two arguments say how many keys and arguments each run has. */
  readonly many: Script
}

/**
 * What fails because of the keys of one run doesn't concern the others. What says how the server is, such as READONLY, is an
 * error of the command: an app may have told its client to connect anew then, and clients don't look into replies.
 */
const manyOf = (source: string): string => `
local function run(KEYS, ARGV)
${source}
end

local keys, args = tonumber(ARGV[1]), tonumber(ARGV[2])
local replies = {}
for index = 0, #KEYS / keys - 1 do
  local firstKey, firstArg = index * keys + 1, index * args + 3
  local isDone, reply =
    pcall(run, { unpack(KEYS, firstKey, firstKey + keys - 1) }, { unpack(ARGV, firstArg, firstArg + args - 1) })
  if not isDone then
    local message = type(reply) == 'table' and reply.err or tostring(reply)
    reply = redis.error_reply(message)
    if not string.find(message, '^WRONGTYPE ') and not string.find(message, '^ERR ') then return reply end
  end
  replies[index + 1] = reply or false
end
return replies
`

/** Names a script that can be run for many at once. It is the body of a function of `KEYS` and `ARGV`. */
export const eachScript = (source: string): EachScript => ({ one: script(source), many: script(manyOf(source)) })
