#!/bin/sh
# Installs the git of a later Debian in a directory, beside the system's: its packages and the libraries that they need
# are unpacked there, and its two programs are told to load those. Needs a Debian, the network and patchelf.
#
#   sh newer-git.sh SUITE DIRECTORY
set -eu

suite=$1
rm -rf "$2"
mkdir -p "$2/apt/sources" "$2/apt/lists/partial" "$2/apt/archives/partial" "$2/root"
root=$(cd "$2" && pwd)

# The mirror that this system uses.
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -n 1)
cat >"$root/apt/sources/later.sources" <<SOURCES
Types: deb
URIs: $mirror
Suites: $suite
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SOURCES

# With a status file that has no package in it, everything is downloaded, and nothing is installed.
: >"$root/apt/status"
cat >"$root/apt/conf" <<CONF
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$root/apt/sources";
Dir::State::lists "$root/apt/lists";
Dir::State::status "$root/apt/status";
Dir::Cache "$root/apt";
Debug::NoLocking "1";
APT::Install-Recommends "0";
APT::Sandbox::User "root";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "0";
Acquire::Languages "none";
CONF
export APT_CONFIG="$root/apt/conf"
apt-get update -qq
apt-get install -qq -y --download-only git
for package in "$root"/apt/archives/*.deb; do dpkg-deb --extract "$package" "$root/root"; done
rm -r "$root/apt"

libraries=$(dirname "$(find "$root/root/usr/lib" -name libc.so.6)")
loader=$(find "$libraries" -name 'ld-linux*.so.*' | head -n 1)
for program in bin/git lib/git-core/git lib/git-core/git-remote-http; do
  patchelf --set-interpreter "$loader" --force-rpath --set-rpath "$libraries" "$root/root/usr/$program"
done
