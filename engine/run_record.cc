#include "engine/run_record.h"

#include <nlohmann/json.hpp>

namespace stack::engine {

using nlohmann::json;

namespace {

// Of a thousand services: only the path that decided is of interest later.
constexpr std::size_t kMostSteps = 400;

}  // namespace

std::string to_record(const scheduler::LastRun& run) {
  json out{
      {"verb", run.verb},
      {"who", run.who},
      {"time",
       std::chrono::duration_cast<std::chrono::nanoseconds>(run.time.time_since_epoch()).count()},
      {"error", run.error},
      {"steps", json::array()}};
  const auto& steps =
      run.steps.size() > kMostSteps ? scheduler::critical_path(run.steps) : run.steps;
  for (const auto& step : steps) {
    out["steps"].push_back({{"id", step.id},
                            {"what", step.what},
                            {"cause", step.cause},
                            {"began", step.began.count()},
                            {"ended", step.ended.count()},
                            {"after", step.after}});
  }
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<scheduler::LastRun> parse_run_record(const std::string& text) {
  const json record = json::parse(text, nullptr, false);
  if (!record.is_object())
    return Error::make(ErrorKind::kInternal, "the record of the last run is not JSON");
  scheduler::LastRun run;
  run.verb = record.value("verb", "");
  run.who = record.value("who", "");
  run.time = WallTime(std::chrono::nanoseconds(record.value("time", std::int64_t{0})));
  run.error = record.value("error", "");
  for (const auto& item : record.value("steps", json::array())) {
    run.steps.push_back({item.value("id", 0), item.value("what", ""), item.value("cause", ""),
                         Duration(item.value("began", std::int64_t{0})),
                         Duration(item.value("ended", std::int64_t{0})),
                         item.value("after", std::vector<int>{})});
  }
  return run;
}

}  // namespace stack::engine
