-- The same GCRA as in the process, for all the buckets of one request: either every one of them gives, or none.
-- KEYS: the buckets. ARGV, for each: microseconds until one is new again, how many this caller may use at once, how
-- many there are in all. A bucket's value is the time at which it will be full again, in microseconds, by this
-- server's clock; it is gone when that time has come.
-- Answers {0, …} and for each bucket the microseconds until it is full; or {n, wait}: bucket n is empty for so long.
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local full_at = {}
for n, key in ipairs(KEYS) do
    local interval = tonumber(ARGV[3 * n - 2])
    local part, whole = tonumber(ARGV[3 * n - 1]), tonumber(ARGV[3 * n])
    local at = tonumber(redis.call('GET', key) or now) or now
    -- No bucket is emptier than empty, whatever a changed quota or another server's clock has left there.
    at = math.max(now, math.min(at, now + whole * interval))
    local wait = at + interval - part * interval - now
    if wait > 0 then
        return {n, wait}
    end
    full_at[n] = at + interval
end
local answer = {0}
for n, key in ipairs(KEYS) do
    local left = full_at[n] - now
    redis.call('SET', key, string.format('%.0f', full_at[n]), 'PX', math.ceil(left / 1000))
    answer[n + 1] = left
end
return answer
