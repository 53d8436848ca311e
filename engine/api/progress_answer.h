// A stream of progress lines: the answer begins with the first, so that an error before it has a
// status of its own.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "engine/api/respond.h"

namespace stack::engine::api {

class ProgressAnswer {
 public:
  explicit ProgressAnswer(ExchangePtr exchange) : exchange_(std::move(exchange)) {}
  void line(const nlohmann::json& json) const {
    if (!exchange_->begun()) exchange_->begin(200, "application/json");
    exchange_->write(line_of(json));
  }
  void fail(const Error& error) const;
  void finish() const {
    if (!exchange_->begun()) exchange_->begin(200, "application/json");
    exchange_->finish();
  }

 private:
  ExchangePtr exchange_;
};

}  // namespace stack::engine::api
