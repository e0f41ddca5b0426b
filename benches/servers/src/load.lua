-- Cycles over the tokens of a file, one a line, and prints what the run has measured as one line.
local requests, turn = {}, 0

function init(arguments)
  for token in io.lines(arguments[1]) do
    requests[#requests + 1] = wrk.format("GET", nil, { Authorization = "Bearer " .. token })
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency)
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  local at = function(percent) return latency:percentile(percent) end
  local numbers = { summary.requests, summary.duration, errors.status, broken, at(50), at(99), at(99.9) }
  print("measured " .. table.concat(numbers, " "))
end
