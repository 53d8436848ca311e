#include "engine/api/progress_answer.h"

#include <nlohmann/json.hpp>

#include "engine/api/progress_json.h"

namespace stack::engine::api {

void ProgressAnswer::fail(const Error& error) const {
  if (!exchange_->begun()) return respond_error(*exchange_, error);
  line(error_line(error));
  exchange_->finish();
}

}  // namespace stack::engine::api
