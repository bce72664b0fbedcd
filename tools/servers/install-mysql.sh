#!/bin/sh
# Puts a MySQL server and the libraries that it needs into the user's cache; nothing of the system changes, and no rights are needed. It
# comes from Debian's unstable suite, the only one that has MySQL, so the libraries of this machine would be too old for it.
set -eu

cache=${XDG_CACHE_HOME:-$HOME/.cache}/nestjs-rocketmq
target=$cache/mysql
if [ -x "$target/mysqld" ]; then exit 0; fi
mkdir -p "$cache"
work=$(mktemp -d "$cache/mysql-XXXXXX")
trap 'rm -rf "$work"' EXIT

mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial" "$work/root"
: >"$work/status"
echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian unstable main' >"$work/sources.list"
own_apt() {
  apt-get -q -y -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::State="$work/state" \
    -o Dir::State::status="$work/status" -o Dir::Cache="$work/cache" -o APT::Sandbox::User="$(id -un)" "$@"
}
own_apt update
own_apt install --download-only --no-install-recommends mysql-server-core
for package in "$work"/cache/archives/*.deb; do dpkg-deb -x "$package" "$work/root"; done

cat >"$work/mysqld" <<'SCRIPT'
#!/bin/sh
root=$(dirname "$(readlink -f "$0")")/root
# --no-defaults counts only as the first argument.
if [ "${1-}" = --no-defaults ]; then shift; fi
exec "$root"/usr/lib64/ld-linux-x86-64.so.2 --library-path "$root/usr/lib/x86_64-linux-gnu:$root/usr/lib/mysql/private" \
  "$root/usr/sbin/mysqld" --no-defaults --lc-messages-dir="$root/usr/share/mysql" --character-sets-dir="$root/usr/share/mysql/charsets" \
  --plugin-dir="$root/usr/lib/mysql/plugin" "$@"
SCRIPT
chmod +x "$work/mysqld"
"$work/mysqld" --version
rm -rf "$work/state" "$work/cache" "$work/status" "$work/sources.list"
if ! mv -T "$work" "$target"; then [ -x "$target/mysqld" ]; fi
chmod 755 "$target"
trap - EXIT
