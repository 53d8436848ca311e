// One container takes the place of another without a moment in which nobody answers, and the other
// is drained.

#include <algorithm>
#include <set>

#include "engine/container_endpoints.h"
#include "engine/containers_impl.h"
#include "engine/tcp_sockets.h"
#include "netd/client.h"

namespace stack::engine {

namespace {

constexpr std::chrono::milliseconds kLook{100};

// Established connections to the ports that the container listens on.
int connections_of(int pid) {
  const auto sockets = tcp_sockets_of(pid);
  std::set<int> listening;
  for (const TcpSocket& socket : sockets) {
    if (socket.listens) listening.insert(socket.port);
  }
  return static_cast<int>(
      std::count_if(sockets.begin(), sockets.end(), [&](const TcpSocket& socket) {
        return socket.established && listening.count(socket.port) != 0;
      }));
}

struct Drain : std::enable_shared_from_this<Drain> {
  Drain(Services& shared, int process, TimePoint end, std::stop_token stop, Done<Unit> call)
      : services(shared),
        pid(process),
        deadline(end),
        cancel(std::move(stop)),
        done(std::move(call)) {}

  void look() {
    services.pool.run([pid = pid] { return connections_of(pid); },
                      [self = shared_from_this()](int open) { self->looked(open); });
  }
  void looked(int open) {
    if (open == 0 || cancel.stop_requested() || services.clock.now() >= deadline)
      return done(Unit{});
    timer = services.loop.after(kLook, [self = shared_from_this()] { self->look(); });
  }

  Services& services;
  int pid;
  TimePoint deadline;
  std::stop_token cancel;
  Done<Unit> done;
  EventLoop::Timer timer;
};

}  // namespace

void Containers::take_over(const std::string& id, const std::string& from, Done<Unit> done) {
  auto found = impl_->find(id);
  if (!found.ok()) return done(std::move(found).error());
  Entry* heir = *found;
  if (heir->c.status != RunState::kRunning)
    return done(Error::conflict("container " + heir->c.name + " is not running"));
  if (!heir->c.standby) return done(Unit{});  // done before
  Entry* giver = from.empty() ? nullptr : impl_->get(from);
  std::vector<AssignedPort> ports;
  std::vector<netd::PublishedPort> before;
  if (giver != nullptr) {
    before = published_ports(giver->c);
    ports = std::exchange(giver->c.ports, {});
  }
  if (Status assigned = impl_->assign_ports(heir, ports); !assigned.ok()) {
    if (giver != nullptr) giver->c.ports = std::move(ports);
    return done(std::move(assigned).error());
  }
  const auto after = published_ports(heir->c);
  const std::string giver_id = giver != nullptr ? giver->c.id : std::string();
  const std::string heir_id = heir->c.id;
  const auto give_back = [this, heir_id, giver_id, ports, done](Error error) {
    if (Entry* same = impl_->get(heir_id)) same->c.ports.clear();
    if (Entry* same = impl_->get(giver_id)) same->c.ports = ports;
    done(std::move(error).while_("taking over"));
  };
  const auto rename = [this, heir_id, giver_id, done](Status switched, const auto& refuse) {
    if (!switched.ok()) return refuse(std::move(switched).error());
    Entry* now = impl_->get(heir_id);
    if (now == nullptr || now->c.status != RunState::kRunning)
      return done(
          Error::conflict("container " + heir_id.substr(0, 12) + " ended while it took over"));
    now->c.standby = false;
    impl_->save(*now);
    // First the new one answers as well, then the old one no longer: no question goes unanswered.
    impl_->register_names(now, Fd(), [this, giver_id, done](Status known) {
      if (!known.ok()) return done(std::move(known).error());
      Entry* old = impl_->get(giver_id);
      if (old == nullptr) return done(Unit{});
      old->c.standby = true;
      impl_->save(*old);
      if (old->c.status != RunState::kRunning && old->c.status != RunState::kPaused)
        return done(Unit{});
      impl_->register_names(old, Fd(), [done](Status gone) {
        if (gone.ok()) return done(Unit{});
        done(std::move(gone).error());
      });
    });
  };
  impl_->services.netd.hand_over(
      giver_id, heir_id, after, [this, heir_id, before, after, give_back, rename](Status held) {
        if (!held.ok()) return give_back(std::move(held).error());
        impl_->services.pool.run(
            [heir_id, before, after] { return netd::replace_published(heir_id, before, after); },
            [give_back, rename](Status switched) { rename(std::move(switched), give_back); });
      });
}

void Containers::drain(const std::string& id, Duration limit, std::stop_token cancel,
                       Done<Unit> done) {
  auto found = impl_->find(id);
  if (!found.ok() || (*found)->c.pid == 0) return done(Unit{});
  std::make_shared<Drain>(impl_->services, (*found)->c.pid, impl_->services.clock.now() + limit,
                          std::move(cancel), std::move(done))
      ->look();
}

}  // namespace stack::engine
