// Networks that a container is connected to, or taken from, after it was made. Both wait for their
// turn, and while interfaces and ports of a running container change its end is not looked at: what
// ends holds what its record says.

#include <algorithm>

#include "base/files.h"
#include "base/log.h"
#include "engine/container_endpoints.h"
#include "engine/container_etc_files.h"
#include "engine/container_start.h"
#include "engine/containers_impl.h"
#include "engine/endpoint_checks.h"
#include "engine/networks.h"
#include "netd/client.h"
#include "netd/endpoint.h"

namespace stack::engine {

namespace {

// The name that was asked for, else the first of eth0, eth1, ... that no other endpoint has.
std::string interface_name(const Container& c, const EndpointConfig& config) {
  if (!config.interface_name.empty()) return config.interface_name;
  for (int index = 0;; ++index) {
    std::string name = "eth" + std::to_string(index);
    if (std::none_of(c.endpoints.begin(), c.endpoints.end(),
                     [&](const Endpoint& e) { return e.interface == name; }))
      return name;
  }
}

// Taking the container out of a network is done all the same.
void warn_of(const Status& told) {
  if (!told.ok()) log_warning("names of a container: {}", told.error().to_string());
}

bool is_gateway(const Container& c, const Endpoint& endpoint) {
  for (const bool v6 : {false, true}) {
    const Endpoint* way = gateway_endpoint(c, v6);
    if (way != nullptr && way->id == endpoint.id) return true;
  }
  return false;
}

}  // namespace

void Containers::connect(const std::string& name_or_id, const std::string& network_id,
                         EndpointConfig config, Done<Unit> done) {
  auto found = impl_->find(name_or_id);
  if (!found.ok()) return done(std::move(found).error());
  const std::string id = (*found)->c.id;
  const auto operation = [this, id, network_id, config = std::move(config),
                          done](Entry::Finished finished) {
    impl_->connect(impl_->get(id), network_id, config, [done, finished](Result<Unit> result) {
      done(std::move(result));
      finished();
    });
  };
  impl_->enqueue(id, operation, Impl::no_such_container(id, std::move(done)));
}

void Containers::disconnect(const std::string& name_or_id, const std::string& network_id,
                            Done<Unit> done) {
  auto found = impl_->find(name_or_id);
  if (!found.ok()) return done(std::move(found).error());
  const std::string id = (*found)->c.id;
  const auto operation = [this, id, network_id, done](Entry::Finished finished) {
    impl_->disconnect(impl_->get(id), network_id, [done, finished](Result<Unit> result) {
      done(std::move(result));
      finished();
    });
  };
  impl_->enqueue(id, operation, Impl::no_such_container(id, std::move(done)));
}

Result<std::shared_ptr<StartJob>> Containers::Impl::network_job(const Container& c) const {
  auto job = std::make_shared<StartJob>();
  job->container = c;
  job->directory = directory(c.id);
  for (const auto& endpoint : c.endpoints) {
    const Network* network = TRY(services.networks->find(endpoint.network_id));
    job->networks.push_back(Networks::spec_of(*network));
    if (network->predefined) job->bridge_gate = services.networks->bridge_gate();
  }
  return job;
}

void Containers::Impl::forget_endpoint(Entry* entry, const Endpoint& endpoint) {
  Container& c = entry->c;
  std::erase_if(c.endpoints, [&](const Endpoint& e) { return e.id == endpoint.id; });
  c.config.networks.erase(endpoint.network_name);
  services.networks->release(endpoint);
  if (published_ports(c).empty()) c.ports.clear();
  save(*entry);
}

void Containers::Impl::move_ports(const std::string& id, std::vector<netd::PublishedPort> before,
                                  std::vector<netd::PublishedPort> after,
                                  std::function<void(Status)> done) {
  if (before == after) return done(ok_status());
  const auto refuse = [this, id, before, done](Error error) {
    services.netd.hand_over(id, id, before, [done, error](const Status&) { done(error); });
  };
  services.netd.hand_over(id, id, after, [this, id, before, after, refuse, done](Status held) {
    if (!held.ok()) return refuse(std::move(held).error());
    services.pool.run(
        [id, before, after]() -> Status {
          TRY(netd::unpublish(id, before));
          Status published = netd::publish(id, after);
          if (!published.ok())
            (void)netd::publish(id, before);  // the first error is the one to tell
          return published;
        },
        [refuse, done](Status moved) {
          if (!moved.ok()) return refuse(std::move(moved).error());
          done(ok_status());
        });
  });
}

void Containers::Impl::connect(Entry* entry, const std::string& network_id, EndpointConfig config,
                               Done<Unit> done) {
  Container& c = entry->c;
  const auto network = services.networks->find(network_id);
  if (!network.ok()) return done(network.error());
  if (Status fits = check_connectable(c, **network); !fits.ok())
    return done(std::move(fits).error());
  if (Status fits = check_endpoint(config, *network); !fits.ok())
    return done(std::move(fits).error());
  if (std::any_of(c.endpoints.begin(), c.endpoints.end(),
                  [&](const Endpoint& e) { return e.network_id == (*network)->id; })) {
    return done(Error::conflict("endpoint with name " + c.name + " already exists in network " +
                                (*network)->config.name));
  }
  Endpoint endpoint;
  endpoint.id = random_hex(64);
  endpoint.network_id = (*network)->id;
  endpoint.network_name = (*network)->config.name;
  endpoint.interface = interface_name(c, config);
  endpoint.config = std::move(config);
  const bool up = is_up(c.status);
  if (up) {
    Status assigned = services.networks->assign(**network, &endpoint);
    if (!assigned.ok()) return done(std::move(assigned).error());
    endpoint.host_veth = netd::veth_name(random_hex(64), static_cast<int>(c.endpoints.size()));
  }
  const auto before = published_ports(c);
  const bool had_resolver = needs_resolver(c);
  c.config.networks[endpoint.network_name] = endpoint.config;
  c.endpoints.push_back(endpoint);
  if (!up) {
    save(*entry);
    return done(Unit{});
  }
  const auto prepare = [&]() -> Result<std::shared_ptr<StartJob>> {
    if (before.empty() && !c.standby) TRY(assign_ports(entry));
    TRY(write(*entry));  // whoever finds us dead must know what the container holds
    return network_job(c);
  };
  const auto prepared = prepare();
  if (!prepared.ok()) {
    forget_endpoint(entry, endpoint);
    return done(prepared.error());
  }
  const auto job = *prepared;
  job->resolver = needs_resolver(c) && !had_resolver;  // else it is there
  entry->exit_watch.cancel();
  const std::string id = c.id;
  const auto after = published_ports(c);

  const auto undo = [this, id, job, endpoint, done](Error error) {
    auto left = std::make_shared<StartJob>(StartJob{});
    left->container = job->container;
    left->networks = job->networks;
    std::erase_if(left->container.endpoints,
                  [&](const Endpoint& e) { return e.id == endpoint.id; });
    left->networks.pop_back();
    services.pool.run(
        [job, left, endpoint] {
          (void)remove_from_etc_files(job->directory,
                                      endpoint);  // the first error is the one to tell
          return take_interface(*left, endpoint, is_gateway(job->container, endpoint));
        },
        [this, id, endpoint, done, error](const Status&) {
          Entry* same = get(id);
          forget_endpoint(same, endpoint);
          register_names(same, Fd(), warn_of);
          watch_exit(same);
          done(error);
        });
  };
  const auto make = [job, endpoint]() -> Result<Fd> {
    Fd netns = TRY(make_missing_interfaces(*job));
    TRY(add_to_etc_files(*job, endpoint));
    return netns;
  };
  services.pool.run(make, [this, id, endpoint, before, after, undo, done](Result<Fd> made) {
    if (!made.ok()) return undo(std::move(made).error());
    register_names(get(id), std::move(made).value(), [=, this](Status known) {
      if (!known.ok()) return undo(std::move(known).error());
      move_ports(id, before, after, [=, this](Status moved) {
        if (!moved.ok()) return undo(std::move(moved).error());
        Entry* same = get(id);
        save(*same);
        refresh_links(*same);
        watch_exit(same);
        publish_attachment(same->c, endpoint, true);
        done(Unit{});
      });
    });
  });
}

void Containers::Impl::disconnect(Entry* entry, const std::string& network_id, Done<Unit> done) {
  Container& c = entry->c;
  const auto network = services.networks->find(network_id);
  if (!network.ok()) return done(network.error());
  const auto it = std::find_if(c.endpoints.begin(), c.endpoints.end(),
                               [&](const Endpoint& e) { return e.network_id == (*network)->id; });
  if (it == c.endpoints.end()) {
    return done(Error::conflict("container " + c.id + " is not connected to network " +
                                (*network)->config.name));
  }
  const Endpoint endpoint = *it;
  if (!is_up(c.status)) {
    forget_endpoint(entry, endpoint);
    return done(Unit{});
  }
  const auto before = published_ports(c);
  const bool was_gateway = is_gateway(c, endpoint);
  // An interface that goes on purpose is not a lost one. Its addresses and ports stay taken, and in
  // the record, until nothing leads to them.
  c.endpoints.erase(it);
  const auto left = network_job(c);
  const std::string id = c.id;
  const auto put_back = [this, id, endpoint, done](Error error) {
    get(id)->c.endpoints.push_back(endpoint);
    watch_exit(get(id));
    done(std::move(error));
  };
  if (!left.ok()) return put_back(left.error());
  entry->exit_watch.cancel();
  move_ports(id, before, published_ports(c), [=, this, job = *left](Status moved) {
    if (!moved.ok()) return put_back(std::move(moved).error());
    const auto take = [=]() -> Status {
      TRY(remove_from_etc_files(job->directory, endpoint));
      return take_interface(*job, endpoint, was_gateway);
    };
    services.pool.run(take, [this, id, endpoint, done](Status taken) {
      Entry* same = get(id);
      forget_endpoint(same, endpoint);
      register_names(same, Fd(), warn_of);
      refresh_links(*same);
      watch_exit(same);
      publish_attachment(same->c, endpoint, false);
      if (taken.ok()) return done(Unit{});
      done(std::move(taken).error());
    });
  });
}

}  // namespace stack::engine
