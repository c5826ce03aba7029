import { script } from "../script.ts"

/** Members of an index are a bucket's digest, an entry's id (in one of them), and its sequence with a flag, in 7 bytes. */
const prelude = String.raw`
local lowest, highest = string.rep('\0', 23), string.rep('\255', 23)

local function placeOf(member)
  local place = struct.unpack('>I7', member, #member - 6)
  return math.floor(place / 2), place % 2 == 1
end

local function tail(sequence) return struct.pack('>I7', math.max(0, math.min(sequence, 2^52)) * 2) end

-- Shows the members between two bounds to a function until it has enough of them.
local function each(command, key, first, last, isEnough)
  while true do
    local members = redis.call(command, key, first, last, 'LIMIT', 0, 100)
    for _, member in ipairs(members) do
      if isEnough(member) then return end
    end
    if #members < 100 then return end
    first = '(' .. members[#members]
  end
end

local position = 1
local function nextArgument()
  position = position + 1
  return ARGV[position - 1]
end

local function nextRange()
  local range = { from = tonumber(nextArgument()), to = tonumber(nextArgument()) }
  range.replayableOnly = nextArgument() == '1'
  range.afterId = nextArgument()
  range.digests = {}
  for i = 1, tonumber(nextArgument()) do range.digests[i] = nextArgument() end
  return range
end

local function isIn(range, member)
  local sequence, transportOnly = placeOf(member)
  return sequence >= range.from and sequence <= range.to and not (range.replayableOnly and transportOnly)
end

local function eachBySequence(key, range, digest, isEnough)
  local accept = function(member) return isIn(range, member) and isEnough(member) end
  each('ZRANGEBYLEX', key, '[' .. digest .. tail(range.from), '(' .. digest .. tail(range.to + 1), accept)
end

local function eachFromLast(key, range, digest, isEnough)
  local accept = function(member) return isIn(range, member) and isEnough(member) end
  each('ZREVRANGEBYLEX', key, '(' .. digest .. tail(range.to + 1), '[' .. digest .. tail(range.from), accept)
end

local function eachByNewest(key, range, digest, isEnough)
  local accept = function(member) return isIn(range, member) and isEnough(member) end
  local oldest = '[' .. digest .. lowest
  if range.afterId ~= '' then oldest = '(' .. digest .. range.afterId .. highest end
  each('ZREVRANGEBYLEX', key, '[' .. digest .. highest, oldest, accept)
end
`

/** Selects the entries of ranges, and answers for each a list of sequences and stored bytes, by turns. */
export const bucketScript = script(`${prelude}
local feed, bySequence, byId = unpack(KEYS)
local order, maxEntries, maxBytes = nextArgument(), tonumber(nextArgument()), tonumber(nextArgument())

-- Text is not compared with <, which heeds the server's locale.
local function found(member)
  local high, middle, low = struct.unpack('>I6I6I4', member, 13)
  return { sequence = placeOf(member), high = high, middle = middle, low = low }
end

local function isNewer(a, b)
  if a.high ~= b.high then return a.high > b.high end
  if a.middle ~= b.middle then return a.middle > b.middle end
  return a.low > b.low
end

local function isEarlier(a, b) return a.sequence < b.sequence end

-- Each bucket of a range brings as many as the range may have: which ones it keeps is known when all are there.
local function select(range)
  local all = {}
  for _, digest in ipairs(range.digests) do
    local count = 0
    if order == 'sequence' and range.afterId == '' then
      eachBySequence(bySequence, range, digest, function(member)
        all[#all + 1] = { sequence = placeOf(member) }
        count = count + 1
        return count >= maxEntries
      end)
    else
      eachByNewest(byId, range, digest, function(member)
        all[#all + 1] = found(member)
        count = count + 1
        return order == 'newest' and count >= maxEntries
      end)
    end
  end
  table.sort(all, order == 'newest' and isNewer or isEarlier)
  return all
end

local function load(selected)
  local rows, bytes = {}, 0
  for i = 1, math.min(#selected, maxEntries) do
    local id = string.format('%d-0', selected[i].sequence)
    local body = redis.call('XRANGE', feed, id, id)[1][2][2]
    bytes = bytes + struct.unpack('>I4', body)
    if i > 1 and bytes > maxBytes then break end
    rows[#rows + 1] = selected[i].sequence
    rows[#rows + 1] = body
  end
  return rows
end

local reply = {}
while position <= #ARGV do reply[#reply + 1] = load(select(nextRange())) end
return reply
`)

/** Answers the first and the last sequence of each range, 0 and 0 where it is empty. */
export const boundsScript = script(`${prelude}
local bySequence, byId = unpack(KEYS)

local function boundsOf(range)
  local first, last = nil, nil
  local function take(member)
    local sequence = placeOf(member)
    if not first or sequence < first then first = sequence end
    if not last or sequence > last then last = sequence end
    return range.afterId == ''
  end
  for _, digest in ipairs(range.digests) do
    if range.afterId == '' then
      eachBySequence(bySequence, range, digest, take)
      eachFromLast(bySequence, range, digest, take)
    else
      eachByNewest(byId, range, digest, take)
    end
  end
  return { first or 0, last or 0 }
end

local reply = {}
while position <= #ARGV do reply[#reply + 1] = boundsOf(nextRange()) end
return reply
`)
