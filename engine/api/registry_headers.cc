#include "engine/api/registry_headers.h"

#include "base/base64.h"
#include "engine/json_fields.h"

namespace stack::engine::api {

std::optional<RegistryCredentials> registry_auth_of(const Request& request) {
  const auto text = decode_base64(request.header("x-registry-auth"));
  return text ? parse_registry_auth(*text) : std::nullopt;
}

std::map<std::string, RegistryCredentials> registry_config_of(const Request& request) {
  std::map<std::string, RegistryCredentials> out;
  const auto text = decode_base64(request.header("x-registry-config"));
  if (!text || text->empty()) return out;
  // A header that cannot be read is as good as none: the registry will say what is missing.
  (void)parse_json(*text, [&](const Json& json) {
    for (const auto& [address, entry] : json.items()) {
      if (auto one = parse_registry_auth(entry.dump())) out[credentials_key(address)] = *one;
    }
  });
  return out;
}

std::stop_token stop_with(Exchange& exchange) {
  const auto source = std::make_shared<std::stop_source>();
  exchange.on_close([source] { source->request_stop(); });
  return source->get_token();
}

}  // namespace stack::engine::api
