#include "netd/names.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace stack::netd {

namespace {

constexpr std::string_view kArpa4 = ".in-addr.arpa";
constexpr std::string_view kArpa6 = ".ip6.arpa";

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string pack(const std::string& text) {
  unsigned char bytes[16];
  if (::inet_pton(AF_INET, text.c_str(), bytes) == 1) return {reinterpret_cast<char*>(bytes), 4};
  if (::inet_pton(AF_INET6, text.c_str(), bytes) == 1) return {reinterpret_cast<char*>(bytes), 16};
  return "";
}

// "4.3.2.1.in-addr.arpa" -> the packed address 1.2.3.4; "" when it is not one.
std::string unpack_reverse(std::string_view name) {
  std::string out;
  if (name.ends_with(kArpa4)) {
    name.remove_suffix(kArpa4.size());
    while (true) {
      const std::size_t dot = std::min(name.find('.'), name.size());
      unsigned value = 256;
      const auto [end, error] = std::from_chars(name.data(), name.data() + dot, value);
      if (error != std::errc() || end != name.data() + dot || value > 255) return "";
      out.insert(out.begin(), static_cast<char>(value));
      if (dot == name.size()) break;
      name.remove_prefix(dot + 1);
    }
    return out.size() == 4 ? out : "";
  }
  if (!name.ends_with(kArpa6)) return "";
  name.remove_suffix(kArpa6.size());
  if (name.size() != 63) return "";
  unsigned char bytes[16] = {};
  for (std::size_t i = 0; i < 32; ++i) {
    unsigned nibble = 16;
    const char* digit = name.data() + i * 2;
    if (std::from_chars(digit, digit + 1, nibble, 16).ptr != digit + 1) return "";
    if (i < 31 && digit[1] != '.') return "";
    const std::size_t at = 31 - i;
    bytes[at / 2] = static_cast<unsigned char>(bytes[at / 2] | nibble << (at % 2 == 0 ? 4U : 0U));
  }
  return {reinterpret_cast<char*>(bytes), 16};
}

Answer refuse_or_forward(const ContainerNames& asker) {
  Answer out;
  out.kind = asker.internal_only ? Answer::Kind::kServfail : Answer::Kind::kForward;
  return out;
}

}  // namespace

void NameTable::add_to_index(const ContainerNames& container) {
  for (const NameEndpoint& endpoint : container.endpoints) {
    Network& network = networks_[endpoint.network_id];
    network.suffix = "." + lower(endpoint.network_name);
    const Known known{&container, &endpoint};
    for (const std::string& name : endpoint.names) {
      auto& list = network.names[lower(name)];
      // The service name may be the container name as well; an endpoint counts once.
      const bool there = std::any_of(list.begin(), list.end(),
                                     [&](const Known& k) { return k.endpoint == &endpoint; });
      if (!there && !name.empty()) list.push_back(known);
    }
    for (const std::string& address : {endpoint.ipv4, endpoint.ipv6}) {
      if (!address.empty()) network.addresses.insert_or_assign(pack(address), known);
    }
  }
}

void NameTable::remove_from_index(const ContainerNames& container) {
  for (const NameEndpoint& endpoint : container.endpoints) {
    const auto found = networks_.find(endpoint.network_id);
    if (found == networks_.end()) continue;
    Network& network = found->second;
    for (const std::string& name : endpoint.names) {
      const auto entry = network.names.find(lower(name));
      if (entry == network.names.end()) continue;
      std::erase_if(entry->second, [&](const Known& k) { return k.container == &container; });
      if (entry->second.empty()) network.names.erase(entry);
    }
    for (const std::string& address : {endpoint.ipv4, endpoint.ipv6}) {
      const auto entry = network.addresses.find(pack(address));
      if (entry != network.addresses.end() && entry->second.container == &container)
        network.addresses.erase(entry);
    }
    if (network.names.empty() && network.addresses.empty()) networks_.erase(found);
  }
}

void NameTable::set(ContainerNames container) {
  remove(container.id);
  auto owned = std::make_unique<ContainerNames>(std::move(container));
  add_to_index(*owned);
  std::string id = owned->id;
  containers_.emplace(std::move(id), std::move(owned));
}

void NameTable::remove(const std::string& id) {
  const auto found = containers_.find(id);
  if (found == containers_.end()) return;
  remove_from_index(*found->second);
  containers_.erase(found);
}

void NameTable::clear() {
  networks_.clear();
  containers_.clear();
}

const ContainerNames* NameTable::find(const std::string& id) const {
  const auto found = containers_.find(id);
  return found == containers_.end() ? nullptr : found->second.get();
}

const std::vector<NameTable::Known>* NameTable::lookup(const Network& network,
                                                       std::string_view name) const {
  auto found = network.names.find(name);
  if (found == network.names.end() && name.ends_with(network.suffix)) {
    name.remove_suffix(network.suffix.size());
    found = network.names.find(name);
  }
  return found == network.names.end() ? nullptr : &found->second;
}

Answer NameTable::answer(std::string_view name, std::uint16_t type,
                         const std::string& asker_id) const {
  const ContainerNames* asker = find(asker_id);
  if (asker == nullptr) return Answer{Answer::Kind::kServfail, {}};
  const auto wanted = static_cast<RecordType>(type);
  if (wanted == RecordType::kPtr) {
    const std::string address = unpack_reverse(lower(name));
    for (const NameEndpoint& own : asker->endpoints) {
      const auto network = networks_.find(own.network_id);
      if (address.empty() || network == networks_.end()) continue;
      const auto known = network->second.addresses.find(address);
      if (known == network->second.addresses.end()) continue;
      return Answer{Answer::Kind::kRecords,
                    {known->second.container->name + "." + known->second.endpoint->network_name}};
    }
    return refuse_or_forward(*asker);
  }
  if (wanted != RecordType::kA && wanted != RecordType::kAaaa && wanted != RecordType::kMx) {
    return refuse_or_forward(*asker);
  }

  std::string text = lower(name);
  const ContainerNames* target = nullptr;  // of a link by id
  for (const NameLink& link : asker->links) {
    if (lower(link.alias) != text) continue;
    target = find(link.target);
    if (target == nullptr) text = lower(link.target);
    break;
  }
  Answer out;
  const auto add = [&](const NameEndpoint& endpoint) {
    if (wanted == RecordType::kMx) return;
    const std::string packed = pack(wanted == RecordType::kA ? endpoint.ipv4 : endpoint.ipv6);
    if (!packed.empty()) out.records.push_back(packed);
  };
  for (const NameEndpoint& own : asker->endpoints) {
    if (target != nullptr) {
      for (const NameEndpoint& endpoint : target->endpoints) {
        if (endpoint.network_id != own.network_id) continue;
        out.kind = Answer::Kind::kRecords;
        add(endpoint);
      }
    } else if (const auto network = networks_.find(own.network_id); network != networks_.end()) {
      if (const auto* list = lookup(network->second, text)) {
        out.kind = Answer::Kind::kRecords;
        for (const Known& known : *list) add(*known.endpoint);
      }
    }
    if (out.kind == Answer::Kind::kRecords) return out;
  }
  return refuse_or_forward(*asker);
}

}  // namespace stack::netd
