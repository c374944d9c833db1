/** What the daemon is told for every build alike: the parent of a step's control group is a part of its cache's key. */
const parent = '/steps';

/** A build's control group, below its room's. */
export const groupOf = (build: string): string => `build-${build}`;

/**
 * What tells the runtime of a step which build it belongs to: of all that a step is given, only the settings of proxies
 * are no part of its cache's key. The runtime below takes them away again.
 */
export const groupOptions = (build: string): Record<string, string> => ({
  'cgroup-parent': parent,
  'build-arg:NO_PROXY': `kiln-${groupOf(build)}`,
});

/**
 * A program that runs a step's container in the control group of its build, and without a network in one that has not
 * even loopback. The last of the names counts: an earlier one stands in the Dockerfile.
 * @param runtimes names of runtimes; the first that the engine root has is used
 * @param hasGroups whether there are control groups; where there are none, the runtime is not to ask for one
 */
export const stepRuntime = (runtimes: readonly string[], hasGroups = true): string => String.raw`#!/bin/sh
for it; do
  [ "$last" = --bundle ] && config=$it/config.json
  last=$it
done
if [ -n "$config" ]; then
  ${hasGroups ? '' : `sed -i 's#"cgroupsPath":"[^"]*",##' "$config"`}
  group=$(sed -n 's/.*"NO_PROXY=kiln-\(build-[a-z0-9-]*\)".*/\1/p' "$config")
  [ -n "$group" ] && sed -i \
    -e 's/,"NO_PROXY=kiln-'"$group"'"//g; s/,"no_proxy=kiln-'"$group"'"//g' \
    -e 's#"cgroupsPath":"${parent}/#"cgroupsPath":"/'"$group"'/#' "$config"
  # A network of the step's own: the runtime would want to set up its loopback, which nobody in the room may do.
  if grep -q '{"type":"network"}' "$config"; then
    sed -i -e 's/,{"type":"network"}//; s/{"type":"network"},//' "$config"
    apart="unshare -n"
  fi
fi
for it in ${runtimes.join(' ')}; do
  command -v "$it" > /dev/null && exec $apart "$it" ${hasGroups ? '' : '--rootless=true'} "$@"
done
echo "there is none of ${runtimes.join(', ')}" >&2
exit 1
`;
