#include "images/registry_options.h"

#include <algorithm>

#include "base/files.h"

namespace stack::images {

bool is_insecure_registry(const std::string& domain, const std::vector<std::string>& listed) {
  const std::string host = host_port(domain).host;
  if (host == "localhost" || host == "::1" || in_cidr(host, "127.0.0.0/8")) return true;
  return std::any_of(listed.begin(), listed.end(), [&](const std::string& item) {
    return item == domain || item == host || in_cidr(host, item);
  });
}

std::vector<Endpoint> endpoints_of(const std::string& domain, const RegistryOptions& options,
                                   bool push) {
  std::vector<Endpoint> out;
  const bool hub = domain == "docker.io";
  if (hub && !push) {
    for (std::string mirror : options.mirrors) {
      while (mirror.ends_with('/')) mirror.pop_back();
      if (mirror.find("://") == std::string::npos) mirror = "https://" + mirror;
      const std::string host = registry_host(mirror);
      out.push_back({mirror, host, true, is_insecure_registry(host, options.insecure_registries)});
    }
  }
  if (hub) {
    out.push_back({"https://registry-1.docker.io", domain});
    return out;
  }
  const bool insecure = is_insecure_registry(domain, options.insecure_registries);
  out.push_back({"https://" + domain, domain, false, insecure});
  if (insecure) out.push_back({"http://" + domain, domain, false, true});
  return out;
}

Result<TlsFiles> tls_files(const std::string& domain,
                           const std::vector<std::filesystem::path>& directories) {
  TlsFiles out;
  for (const auto& parent : directories) {
    const auto directory = parent / domain;
    std::error_code ec;
    std::vector<std::filesystem::path> files;
    for (const auto& item : std::filesystem::directory_iterator(directory, ec))
      files.push_back(item.path());
    if (ec) continue;
    std::sort(files.begin(), files.end());
    for (const auto& file : files) {
      if (file.extension() == ".crt") out.ca_pem += TRY(read_file(file, 1U << 20U)) + "\n";
      if (file.extension() == ".cert") {
        const auto key = std::filesystem::path(file).replace_extension(".key");
        if (!stack::exists(key)) {
          return Error::invalid("missing key " + key.string() + " for client certificate " +
                                file.string())
              .fix("CA certificates must use the extension .crt.");
        }
        if (out.cert_file.empty()) out.cert_file = file, out.key_file = key;
      }
    }
    return out;
  }
  return out;
}

Result<std::optional<Credentials>> credentials_for(const Endpoint& endpoint,
                                                   const RegistryOptions& options) {
  if (options.credentials && !endpoint.mirror) return options.credentials;
  if (const auto it = options.auths.find(credentials_key(endpoint.domain));
      it != options.auths.end())
    return std::optional(it->second);
  if (options.docker_config.empty()) return std::optional<Credentials>();
  const DockerConfig config = TRY(DockerConfig::load(options.docker_config));
  return config.find(endpoint.domain);
}

}  // namespace stack::images
