// services.*.healthcheck.x-stack.probe: a health check that the engine does itself, without a
// process in the container. In the file it is a map with one of
//
//   http: 8080                          GET / of 127.0.0.1:8080; healthy from 200 to 399
//   http: http://localhost:8080/health  ... of this address (a literal, or localhost)
//   tcp: 5432                           a connection is accepted; also "ADDRESS:PORT"
//   unix: /run/app.sock                 the same, on a socket in the container's file system
//   redis: 6379                         PING is answered; also "ADDRESS:PORT"
//
// It is asked instead of healthcheck.test, which is then for Docker Compose alone.
// In the engine's terms it is the test {"PROBE", URI} with the URI that probe_uri() makes of it.
#pragma once

#include <string>

#include "base/error.h"
#include "compose/node.h"
#include "compose/project.h"
#include "compose/report.h"

namespace stack::compose {

// "http://127.0.0.1:8080/health", "tcp://127.0.0.1:5432", "unix:///run/app.sock",
// "redis://[::1]:6379". kInvalid says what is wrong with the value of this kind.
Result<std::string> probe_uri(std::string_view kind, const std::string& value);
// Of a health check; empty when it has none.
std::string probe_of(const Healthcheck& healthcheck);

// Reports everything that is wrong with healthcheck.x-stack of one service.
void check_probe(const Entry& service, Report& report);

}  // namespace stack::compose
