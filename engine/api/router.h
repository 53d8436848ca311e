// Which function answers which request. Pure.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/api/exchange.h"

namespace stack::engine::api {

using Handler = std::function<void(std::shared_ptr<Exchange>)>;

enum class Body {
  kBuffered,  // read whole (limited) before the handler runs
  kStreamed,  // the handler takes it with Exchange::receive_body(), or it is thrown away
};

struct Route {
  std::string method;
  std::vector<std::string> pattern;  // its components
  Body body = Body::kBuffered;
  Handler handler;
};

class Router {
 public:
  // "/containers/{id}/json": {x} matches one component; {x*} one or more, for image names
  // ("library/nginx").
  void add(std::string method, std::string_view pattern, Handler handler,
           Body body = Body::kBuffered);
  // The first route that fits, its captures in `request`; nullptr when there is none. HEAD falls
  // back to GET.
  const Route* find(Request& request) const;

  Headers common_headers;                           // of every answer
  std::function<Status(const Request&)> admission;  // asked first: API versions that are not spoken

 private:
  std::vector<Route> routes_;
};

}  // namespace stack::engine::api
