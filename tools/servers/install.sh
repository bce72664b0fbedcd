#!/usr/bin/env bash
# Installs the databases and the browser that the gate runs on, unless they are there: Debian's, where it may. What needs one that cannot be
# had does not run, and says so. Fails when a package is known and cannot be installed.

set -euo pipefail
cd "$(dirname "$0")"

# install PACKAGE
install() {
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "no $1 here, and no right to install it: what needs it will not run"
    return
  fi
  DEBIAN_FRONTEND=noninteractive apt-get update -q </dev/null
  DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$1" </dev/null
}

# On the PATH, or where Debian puts it.
if ! command -v initdb >/dev/null && ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then install postgresql; fi
if ! command -v mariadbd >/dev/null && [ ! -x /usr/sbin/mariadbd ]; then install mariadb-server; fi
if [ ! -x "${CHROMIUM:-/usr/bin/chromium}" ]; then install chromium; fi
# From the one suite of Debian that has it.
./install-mysql.sh </dev/null || echo 'no MySQL here: what needs it will not run'
