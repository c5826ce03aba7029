import type { CompactionGroup, CutoffRequest, StoreId } from "@eventlog-server/core/backend"
import { Duration } from "effect"
import type { RedisNode } from "../node.ts"
import { run, script } from "../script.ts"

/** Groups are kept, and answered, as JSON. There, an empty list would be an object: it is no text at all. */
const raiseScript = script(`
local state = KEYS[1]
local stored = redis.call('HMGET', state, 'erased', 'groups')
if stored[1] then return '' end
local groups = stored[2] and cjson.decode(stored[2]) or {}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local groupOf = {}
for _, group in ipairs(groups) do
  for _, event in ipairs(group.events) do groupOf[event] = group end
end

for _, request in ipairs(cjson.decode(ARGV[1])) do
  local cutoff = math.max(0, math.floor((now - request.olderThan) / 60000) * 60000)
  local fresh = { events = {}, cutoff = cutoff }
  for _, event in ipairs(request.events) do
    local group = groupOf[event]
    if group then
      group.cutoff = math.max(group.cutoff, cutoff)
    else
      groupOf[event] = fresh
      table.insert(fresh.events, event)
    end
  end
  if #fresh.events > 0 then table.insert(groups, fresh) end
end

if #groups == 0 then return '' end
local answer = cjson.encode(groups)
if answer ~= stored[2] then redis.call('HSET', state, 'groups', answer) end
return answer
`)

/** JSON has no infinity. */
const millisOf = ({ olderThan }: CutoffRequest): number =>
  Math.min(Duration.toMillis(olderThan), Number.MAX_SAFE_INTEGER)

/** Raises a store's cut-offs by one script. */
export const raiseCutoffs = async (
  { keys, redis }: RedisNode,
  storeId: StoreId,
  requests: ReadonlyArray<CutoffRequest>
): Promise<ReadonlyArray<CompactionGroup>> => {
  const asked = requests.map((request) => ({ events: request.events, olderThan: millisOf(request) }))
  const answer = String(await run(redis, raiseScript, [keys.store(storeId).state], [JSON.stringify(asked)]))
  return answer === "" ? [] : (JSON.parse(answer) as ReadonlyArray<CompactionGroup>)
}
