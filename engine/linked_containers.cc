// Links between the containers of the default network, while they come and go.

#include "base/files.h"
#include "base/log.h"
#include "engine/container_links.h"
#include "engine/containers_impl.h"

namespace stack::engine {

namespace {
const Endpoint* default_endpoint(const Container& c) {
  for (const auto& endpoint : c.endpoints) {
    if (endpoint.network_name == "bridge") return &endpoint;
  }
  return nullptr;
}
}  // namespace

bool Containers::Impl::on_default_network(const Container& c) {
  return default_endpoint(c) != nullptr;
}

std::vector<Containers::Impl::LinkedTo> Containers::Impl::linked(const Container& c) {
  std::vector<LinkedTo> out;
  if (!on_default_network(c)) return out;
  for (const auto& text : c.config.links) {
    const Link link = Link::parse(text);
    const auto other = find(link.target);
    if (!other.ok() || !is_up((*other)->c.status)) continue;
    if (const Endpoint* endpoint = default_endpoint((*other)->c))
      out.push_back({&(*other)->c, link.alias, endpoint->ipv4});
  }
  return out;
}

// The file is changed in place: it is mounted in the container.
void Containers::Impl::set_host_line(const std::string& id, const std::string& alias,
                                     const std::string& line) const {
  const auto file = directory(id) / "hosts";
  const auto old = read_file(file);
  if (!old.ok()) return;
  const auto now = replace_host_line(*old, alias, line);
  if (now == *old) return;
  if (const auto written = write_file(file, now); !written.ok())
    log_warning("{}", written.error().to_string());
}

void Containers::Impl::refresh_links(const Entry& changed) {
  const Endpoint* endpoint = default_endpoint(changed.c);
  for (const auto& [id, entry] : entries) {
    if (entry->c.config.links.empty() || !is_up(entry->c.status) || entry.get() == &changed ||
        !on_default_network(entry->c))
      continue;
    for (const auto& text : entry->c.config.links) {
      const Link link = Link::parse(text);
      const auto target = find(link.target);
      if (!target.ok() || *target != &changed) continue;
      const bool there = endpoint != nullptr && is_up(changed.c.status);
      const std::string line =
          there ? link_host_line(changed.c, link.alias, endpoint->ipv4) : std::string();
      set_host_line(id, link.alias, line);
    }
  }
}

Status Containers::unlink(const std::string& name_or_id, const std::string& alias) {
  Entry* entry = TRY(impl_->find(name_or_id));
  const auto removed = std::erase_if(entry->c.config.links, [&](const std::string& text) {
    return Link::parse(text).alias == alias;
  });
  if (removed == 0) return Error::not_found("No such container: " + name_or_id + "/" + alias);
  impl_->save(*entry);
  if (!is_up(entry->c.status)) return ok_status();
  impl_->set_host_line(entry->c.id, alias, "");
  impl_->register_names(entry, Fd(), [](const Status& registered) {
    if (!registered.ok()) log_warning("{}", registered.error().to_string());
  });
  return ok_status();
}

}  // namespace stack::engine
