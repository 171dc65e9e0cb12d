-- Lends slots of one limit: points in time at least `interval` apart over all processes, on this server's clock in microseconds.
-- KEYS: the timeline, the processes. ARGV: process, interval, need, soon, cover, and how old a slot may be that nobody used.
-- Answers 'first interval count processes': when the first slot is, from now.
if redis.replicate_commands then redis.replicate_commands() end -- before Redis 5, scripts that read the clock may not write without it
local timeline, processes, process = KEYS[1], KEYS[2], ARGV[1]
local interval, need, soon, cover, backlog = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local lately = 10000000 -- a process silent for longer is gone

redis.call('ZADD', processes, now, process)
redis.call('ZREMRANGEBYSCORE', processes, '-inf', now - lately)
redis.call('ZREMRANGEBYSCORE', processes, now + lately, '+inf') -- the clock went back
redis.call('PEXPIRE', processes, lately / 1000)
local count = redis.call('ZCARD', processes)

-- The smallest limit of the living processes holds for all.
local kept = redis.call('HMGET', timeline, 'next', 'interval', 'since')
local since, largest = now, tonumber(kept[2])
if largest and largest > interval and math.abs(now - tonumber(kept[3])) < lately then
  interval, since = largest, tonumber(kept[3])
end

local first = tonumber(kept[1]) or 0
if first > now + 1000000 + 2 * (cover + count * interval) then first = now end -- the clock went back
local idle = first <= now
first = math.max(first, now - backlog)
-- With others at it, everyone gets a part of the stretch and comes back.
local most = math.max(1, math.floor(cover / interval / (idle and 1 or count)))
local unused = math.max(0, math.floor((now - first) / interval) + 1)
local lent = math.min(most, math.max(need, math.min(need + soon, unused)))

local following = first + lent * interval
redis.call('HSET', timeline, 'next', string.format('%.3f', following), 'interval', string.format('%.3f', interval), 'since', string.format('%.0f', since))
redis.call('PEXPIRE', timeline, math.ceil((math.max(following - now, 0) + lately) / 1000))
return string.format('%.0f %.3f %d %d', first - now, interval, lent, count)
