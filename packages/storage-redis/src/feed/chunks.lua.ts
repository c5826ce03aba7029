/*
 * The index of buckets is one hash. A bucket's field is its digest: there are its last entries, up to 16, each with its id
 * (16 bytes) and its place (6): the sequence, doubled, and 1 more where it is only for subscribers. When the 16 are full they
 * move to a field of their own, the digest and their number, and never change again.
 *
 * Before the entries stand how many full chunks come before (3 bytes) and, unless that is 0, the greatest id in all of
 * those (16). So whoever looks for greater ids than that knows where to stop: ids come mostly in order.
 */

/** Lua that both sides of the index share. Text is not compared with <, which heeds the locale of the server. */
export const chunksLua = `
local entryBytes, chunkEntries = 22, 16

local function isGreater(a, b)
  local a1, a2, a3 = struct.unpack('>I6I6I4', a)
  local b1, b2, b3 = struct.unpack('>I6I6I4', b)
  if a1 ~= b1 then return a1 > b1 end
  if a2 ~= b2 then return a2 > b2 end
  return a3 > b3
end

-- How many chunks come before a chunk, where its entries begin, and the greatest id before it.
local function headerOf(chunk)
  local number = struct.unpack('>I3', chunk)
  if number == 0 then return 0, 4, nil end
  return number, 20, string.sub(chunk, 4, 19)
end
`
