// Parts that the planners of down, stop and restart share. Internal to reconcile.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "scheduler/graph.h"
#include "scheduler/inventory.h"
#include "scheduler/plan_builder.h"

namespace stack::scheduler {

// The selected services, dependents first; services that only exist as containers come first.
std::vector<std::string> teardown_order(const Graph& graph, const Inventory& inventory,
                                        const std::set<std::string>& selected);

// The pre_stop hooks one after the other; returns the last. A failing hook does not keep its
// container from being stopped.
int add_pre_stop_hooks(PlanBuilder& builder, const compose::Service& service,
                       const ObservedContainer& container, std::vector<int> settled);

}  // namespace stack::scheduler
