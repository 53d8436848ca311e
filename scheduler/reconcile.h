// From what is declared and what is observed to a plan. Pure: no I/O, no time; the same input gives
// the same plan. An error means that nothing may be changed.
//
// Up has two phases. Create: networks, volumes, then containers in dependency order; replacing is
// create under a temporary name, stop the old, remove it, rename. Start: after everything exists,
// in dependency order, each service after the conditions that it states. Down is the same thing
// backwards with nothing desired.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "compose/project.h"
#include "scheduler/observed.h"
#include "scheduler/options.h"
#include "scheduler/plan.h"

namespace stack::scheduler {

// Everything that planning for this project asks about.
ObserveRequest what_to_observe(const compose::Project& project);

// Images come first, in a plan of their own: which image a reference means decides whether a
// container is replaced, so the world is looked at again before plan_up when this plan was not
// empty.
Result<Plan> plan_images(const compose::Project& project, const Observed& observed,
                         const UpOptions& options);
// `images_ready`: every image was made present, so a missing one is an error; false for a dry run.
Result<Plan> plan_up(const compose::Project& project, const Observed& observed,
                     const UpOptions& options, bool images_ready);
// Dependencies up, then the one-off created. The images of both come from plan_images with
// run_images(options).
Result<Plan> plan_run(const compose::Project& project, const Observed& observed,
                      const RunOptions& options, bool images_ready);
UpOptions run_images(const RunOptions& options);

Result<Plan> plan_down(const compose::Project& project, const Observed& observed,
                       const DownOptions& options);
Result<Plan> plan_verb(Verb verb, const compose::Project& project, const Observed& observed,
                       const ServicesOptions& options);
Result<Plan> plan_build(const compose::Project& project, const ImageOptions& options);
Result<Plan> plan_pull(const compose::Project& project, const Observed& observed,
                       const ImageOptions& options);

// Of a plan and the world that it was made for, 64 hexadecimal digits: another one means that one
// of them moved.
std::string fingerprint(const Plan& plan, const Observed& observed);

// The project as the labels tell it, for commands without a file.
compose::Project project_from_labels(const std::string& name, const Observed& observed);

}  // namespace stack::scheduler
