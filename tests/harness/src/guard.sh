# The guard of one machine: started before anything of it exists, it boots it when told "boot" and takes it down when
# its standard input ends, which it does however the test ends, SIGKILL included.
# Its standard output is the locked slot file, held until all is gone.
# Arguments: NAME DIRECTORY CGROUP... -- the command that boots
set -u
trap '' HUP INT TERM
name=$1 dir=$2
shift 2
groups=
while [ "$1" != -- ]; do
    groups="$groups $1"
    shift
done
shift
nspawn=

boot() {
    trap - HUP INT TERM
    for group in $groups; do echo 0 >"$group/cgroup.procs" || exit 1; done
    exec "$@"
}

running() { [ -n "$nspawn" ] && grep -q '^State:.[^ZX]' "/proc/$nspawn/status" 2>/dev/null; }

# Waits up to two seconds while the given command succeeds.
while_for_2s() {
    tries=0
    while [ $tries -lt 200 ] && "$@"; do
        sleep 0.01
        tries=$((tries + 1))
    done
}

populated() { grep -qs 'populated 1' $(printf '%s/cgroup.events ' $groups); }

take_down() {
    # The machine's first process: with it, the kernel ends its whole pid namespace, and nspawn tidies up after itself.
    running && pkill -KILL -P "$nspawn"
    while_for_2s running
    # Commands that were entered from outside, and whatever is left.
    for group in $groups; do
        if [ -e "$group/cgroup.kill" ]; then echo 1 >"$group/cgroup.kill"; fi
    done
    while_for_2s populated
    for group in $groups; do
        if [ -d "$group" ]; then find "$group" -depth -type d -exec rmdir {} ';'; fi
    done
    for mount in "$dir/root" "$dir"; do
        if mountpoint -q "$mount"; then umount "$mount" || umount -l "$mount"; fi
    done
    for left in "$dir" "/run/systemd/nspawn/propagate/$name"; do
        if [ -d "$left" ]; then rmdir "$left"; fi
    done
}

if read -r word && [ "$word" = boot ]; then
    boot "$@" </dev/null >"$dir/console" 2>&1 &
    nspawn=$!
    while read -r word; do :; done
fi
take_down
