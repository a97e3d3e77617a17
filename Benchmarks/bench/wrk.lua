-- Sends the request that the environment describes, and prints what wrk measured as one line of JSON.
wrk.method = os.getenv("BENCH_METHOD")
wrk.headers["Authorization"] = "Bearer " .. os.getenv("BENCH_TOKEN")

-- wrk counts answers from 400 on as errors. A callback that looks at each answer would slow wrk down. So the code before and
-- after the load shows which error they were.
local expected_is_error = tonumber(os.getenv("BENCH_CODE")) >= 400

function done(summary, latency, requests)
    local errors = summary.errors
    local wrong = expected_is_error and summary.requests - errors.status or errors.status
    io.write(string.format(
        '\n{"requests":%d,"microseconds":%d,"wrong":%d,"failed":%d,"p50":%d,"p99":%d}\n',
        summary.requests, summary.duration, wrong, errors.connect + errors.read + errors.write + errors.timeout,
        latency:percentile(50), latency:percentile(99)))
end
