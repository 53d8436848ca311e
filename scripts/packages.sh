# The Debian packages that this project needs, in one place. Source it, then call install_packages with the sets you want.

# To build the programs.
packages_build=(
    cmake g++ ninja-build pkg-config
    libarchive-dev libboost1.81-dev libcurl4-openssl-dev libfmt-dev libisal-dev
    libnl-3-dev libnl-route-3-dev libseccomp-dev libspdlog-dev libsqlite3-dev libyaml-cpp-dev libzstd-dev
    nettle-dev nlohmann-json3-dev zlib1g-dev
)
# To make the images of the examples from Debian's archive, and to show them.
packages_images=(apt ca-certificates curl debian-archive-keyring libjs-vue mmdebstrap)
# To build and run the tests.
packages_test=(
    busybox-static ccache docker-registry gcc git iproute2 libgmock-dev libgtest-dev lld nftables openssl
    procps python3 python3-docker util-linux
)
# For tests/fuzz/run.sh.
packages_fuzz=(clang)
# For tests/vm/run.sh.
packages_vm=(e2fsprogs qemu-system-x86)
# For scripts/lint.sh.
packages_lint=(clang-format clang-tidy git python3)

# install_packages SET...: installs what is missing of packages_SET. Does nothing, at once, when all is there.
install_packages() {
    local set name missing=() wanted=()
    for set in "$@"; do
        local -n list=packages_$set
        wanted+=("${list[@]}")
    done
    for name in "${wanted[@]}"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then
        echo "These packages are missing: ${missing[*]}" >&2
        echo "Install them as root:  apt-get install --no-install-recommends ${missing[*]}" >&2
        return 1
    fi
    # One source that does not answer need not matter: the installation tells.
    DEBIAN_FRONTEND=noninteractive apt-get -qq update || true
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Use-Pty=0 install --no-install-recommends "${missing[@]}" >/dev/null
}
