-- Sends the requests of a file made by messages.py, one after the other, each once: a script of wrk, used by scripts/bench.
--
--   wrk … -s replay.lua URL -- FILE once RAN_OUT    for a time; RAN_OUT is created when there are too few requests
--   wrk … -s replay.lua URL -- FILE again           for a time, from the beginning again at the end
--   wrk … -s replay.lua URL -- FILE all ANSWERED    ANSWERED is created when all are answered; then stop wrk
--
-- One thread (-t1): each thread would send all of them.

local requests, place, last, at_end = {}, 0, 0, nil

function init(arguments)
  local path, mode, signal = arguments[1], arguments[2], arguments[3]
  local file = assert(io.open(path, "rb"))
  local size = file:read("*n")
  while size do
    file:read(1)
    last = last + 1
    requests[last] = file:read(size)
    size = file:read("*n")
  end
  file:close()
  local function tell()
    io.open(signal, "w"):close()
    wrk.thread:stop()
  end
  if mode == "once" then
    at_end = tell
  elseif mode == "all" then
    local answered = 0
    -- wrk looks at answers only if there is such a function.
    function response()
      answered = answered + 1
      if answered == last then
        tell()
      end
    end
  end
end

-- wrk asks for one request before it begins, which it does not send: `place` starts behind the first because of that.
function request()
  place = place + 1
  if place > last then
    place = 1
    if at_end then
      at_end()
    end
  end
  return requests[place]
end
