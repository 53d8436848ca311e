// The table of schema.cc. "[section]" opens a map with fixed keys ("+": and x-*, "*": and any
// other), "name := shape" names a shape, "key shape" is a key, "key! shape" one that must be there.
// Shapes: any null bool int number string, list(SHAPE), set(SHAPE) for a list without repetition,
// map(SHAPE), names(SHAPE) for a map whose keys are names, texts(SHAPE) for one whose keys are more
// than line ends, lines(SHAPE) for one whose keys are one line, @section, $name, 'word' for one
// allowed string, SHAPE | SHAPE. "cast-int", "cast-number" and "cast-bool" turn strings into that kind,
// int<1,9> has bounds, of which either may be absent, and string~check is checked by the function
// of that name.
#pragma once

#include <string_view>

namespace stack::compose {

inline constexpr std::string_view kSchemaTable = R"(
dict          := texts(null | bool | number | string) | set(string)
strings       := list(string)
names         := set(string)
string_list   := string | list(string)
string_set    := string | set(string)
command       := null | string | list(string)
size          := string | number
count         := string | number
hosts         := texts(string | list(string)) | set(string)
ulimits       := map(cast-int | @ulimit)
files         := list(string | @file_reference)
device_list   := list(@device_request)

[file +]
version       string
name          string
services      names(@service)
networks      map(null | @network)
volumes       names(null | @volume)
secrets       names(@secret)
configs       names(@config)
models        map(@model)

[include *]
path              list(string)
env_file          list(string)
project_directory string

[service +]
annotations   $dict
attach        bool | string
build         string | @build
blkio_config  @blkio_config
cap_add       $names
cap_drop      $names
cgroup        'host' | 'private'
cgroup_parent string
command       $command
configs       $files
container_name string~container_name
cpu_count     cast-int<0,> | string
cpu_percent   cast-int<0,100> | string
cpu_shares    cast-int | number
cpu_quota     cast-int | number
cpu_period    cast-int | number
cpu_rt_period cast-int | number
cpu_rt_runtime cast-int | number
cpus          cast-number
cpuset        string
credential_spec @credential_spec
depends_on    $names | names(@dependency)
deploy        null | @deploy
develop       null | @develop
device_cgroup_rules $names
devices       list(string | @device)
dns           $string_set
dns_opt       $names
dns_search    $string_set
domainname    string
entrypoint    $command
env_file      string | list(string | @env_file)
label_file    $string_list
environment   $dict
expose        set(string | number)
extends       string | @extends
provider      @provider
external_links $names
extra_hosts   $hosts
gpus          'all' | list(@gpu_request)
group_add     set(string | number)
healthcheck   @healthcheck
hostname      string
image         string
init          cast-bool
ipc           string
isolation     string
labels        $dict
links         $names
logging       @logging
mac_address   string
mem_limit     $size
mem_reservation int | string
mem_swappiness int | string
memswap_limit $size
network_mode  string
models        $names | map(null | @service_model)
networks      $names | names(null | @service_network)
oom_kill_disable cast-bool
oom_score_adj cast-int<-1000,1000> | string
pid           string | null
pids_limit    cast-int | number
platform      string
ports         set(number | string | @port)
post_start    list(@hook)
pre_stop      list(@hook)
privileged    cast-bool
profiles      $names
pull_policy   string~pull_policy
pull_refresh_after string
read_only     cast-bool
restart       string
runtime       string
scale         cast-int
security_opt  $names
shm_size      $size
secrets       $files
sysctls       $dict
stdin_open    cast-bool
stop_grace_period string
stop_signal   string
storage_opt   map(any)
tmpfs         $string_set
tty           cast-bool
ulimits       $ulimits
use_api_socket bool
user          string
uts           string
userns_mode   string
volumes       set(string | @mount)
volumes_from  $names
working_dir   string

[build +]
context       string
dockerfile    string
dockerfile_inline string
entitlements  $strings
args          $dict
provenance    string | bool
sbom          string | bool
ssh           $dict
labels        $dict
cache_from    $strings
cache_to      $strings
no_cache      bool | string
additional_contexts $dict
network       string
pull          bool | string
target        string
shm_size      int | string
extra_hosts   $hosts
isolation     string
privileged    bool | string
secrets       $files
tags          $strings
ulimits       map(int | string | @build_ulimit)
platforms     $strings

[ulimit +]
soft!         cast-int
hard!         cast-int

[dependency +]
condition!    'service_started' | 'service_healthy' | 'service_completed_successfully'
restart       bool | string
required      bool

[build_ulimit +]
soft!         int | string
hard!         int | string

[blkio_config]
weight        int | string
weight_device list(@weight_device)
device_read_bps list(@throttle_device)
device_read_iops list(@throttle_device)
device_write_bps list(@throttle_device)
device_write_iops list(@throttle_device)
[weight_device]
path          string
weight        int | string
[throttle_device]
path          string
rate          int | string

[credential_spec +]
config        string
file          string
registry      string

[device +]
source!       string
target        string
permissions   string

[device_request +]
capabilities! $names
count         string | int
device_ids    $names
driver        string
options       $dict
[gpu_request *]
capabilities  $names
count         string | int
device_ids    $names
driver        string
options       $dict

[env_file]
path!         string
format        string
required      bool | string

[extends]
service!      string
file          string

[provider +]
type!         string
options       map(string | number | bool | list(string | number | bool))

[healthcheck +]
disable       cast-bool
interval      string
retries       cast-int | number
test          $string_list
timeout       string
start_period  string
start_interval string

[logging +]
driver        string
options       map(string | number | null)

[service_model +]
endpoint_var  string
model_var     string

[service_network +]
aliases       $names
interface_name string
ipv4_address  string
ipv6_address  string
link_local_ips $names
mac_address   string
driver_opts   map(string | number)
priority      number
gw_priority   number

[port +]
name          string
mode          string
host_ip       string
target        cast-int | string
published     string | int
protocol      string
app_protocol  string

[hook +]
command!      $command
user          string
privileged    bool | string
working_dir   string
environment   $dict

[mount +]
type!         'bind' | 'volume' | 'tmpfs' | 'cluster' | 'npipe' | 'image'
source        string
target        string
read_only     cast-bool
consistency   string
bind          null | @mount_bind
volume        null | @mount_volume
tmpfs         null | @mount_tmpfs
image         null | @mount_image
[mount_bind +]
propagation   string
create_host_path bool | string
recursive     'enabled' | 'disabled' | 'writable' | 'readonly'
selinux       'z' | 'Z'
[mount_volume +]
labels        $dict
nocopy        cast-bool
subpath       string
[mount_tmpfs +]
size          int<0,> | string
mode          number | string
[mount_image +]
subpath       string

[file_reference +]
source        string
target        string
uid           string
gid           string
mode          string | number

[develop +]
watch         list(@watch)
[watch +]
path!         string
action!       'rebuild' | 'sync' | 'restart' | 'sync+restart' | 'sync+exec'
target        string
exec          @hook
ignore        $string_set
include       $string_set
initial_sync  bool

[deploy +]
mode          string
endpoint_mode string
replicas      cast-int
labels        $dict
rollback_config @update_config
update_config @update_config
resources     @resources
restart_policy @restart_policy
placement     @placement
[update_config +]
parallelism   cast-int
delay         string
failure_action string
monitor       string
max_failure_ratio cast-number
order         'start-first' | 'stop-first'
[resources +]
limits        @limits
reservations  @reservations
[limits +]
cpus          number | string
memory        string
pids          int | string
[reservations +]
cpus          number | string
memory        string
generic_resources list(@generic_resource)
devices       $device_list
[generic_resource +]
discrete_resource_spec @discrete_resource
[discrete_resource +]
kind          string
value         number | string
[restart_policy +]
condition     string
delay         string
max_attempts  cast-int
window        string
[placement +]
constraints   $strings
preferences   list(@preference)
max_replicas_per_node cast-int
[preference +]
spread        string

[network +]
name          string
driver        string
driver_opts   map(string | number)
ipam          @ipam
external      cast-bool | @external
internal      cast-bool
enable_ipv4   cast-bool
enable_ipv6   cast-bool
attachable    cast-bool
labels        $dict
[ipam +]
driver        string
config        list(@ipam_pool)
options       lines(string)
[ipam_pool +]
subnet        string
ip_range      string
gateway       string
aux_addresses lines(string)
[external +]
name          string

[volume +]
name          string
driver        string
driver_opts   map(string | number)
external      cast-bool | @external
labels        $dict

[secret +]
name          string
environment   string
file          string
external      cast-bool | @external
labels        $dict
driver        string
driver_opts   map(string | number)
template_driver string

[config +]
name          string
content       string
environment   string
file          string
external      cast-bool | @external
labels        $dict
template_driver string

[model +]
name          string
model!        string
context_size  int
runtime_flags $strings
)";

}  // namespace stack::compose
