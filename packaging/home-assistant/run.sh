#!/bin/sh
# Starts the hub of the Home Assistant app: turns the options of the app into mains.toml, and runs `mains serve` as the user mains.
set -eu
umask 077

options=/data/options.json
state=/data/mains
settings=/run/mains
here=$(dirname "$0")

say() { echo "mains: $*" >&2; }

# Prints the broker that the supervisor offers, or null. The token reaches curl through a pipe: arguments can be read by everybody.
broker() {
    answer=$(
        printf 'header = "Authorization: Bearer %s"\n' "${SUPERVISOR_TOKEN:-}" \
            | curl --config - --silent --show-error --max-time 10 --retry 2 http://supervisor/services/mqtt
    ) || { say "the supervisor cannot be asked for a broker; MQTT stays off until the next start"; echo null; return; }
    if ! printf %s "$answer" | jq --exit-status --compact-output 'select(.result == "ok") | .data' 2>/dev/null; then
        say "Home Assistant offers no MQTT broker; install the app Mosquitto broker, or set mqtt_url, and start again"
        echo null
    fi
}

mkdir -p "$settings" "$state"
broker=null
if jq --exit-status '.mqtt != false and (.mqtt_url // "") == ""' "$options" >/dev/null; then broker=$(broker); fi
unset SUPERVISOR_TOKEN

# Through pipes, too: both hold a password.
printf '%s\n' "$broker" | jq --raw-output --slurpfile given "$options" --from-file "$here/options.jq" >"$settings/mains.toml"
printf '%s\n' "$broker" | jq --raw-output --slurpfile given "$options" \
    'if . then .password else $given[0].mqtt_password end // ""' >"$settings/mqtt-password"
chmod 0700 "$settings" "$state"
# A backup may have been made by an image in which the user had another number.
chown -R mains:mains "$settings" "$state"
export MAINS_STATE="$state" MAINS_CONFIG="$settings/mains.toml" HOME="$state"
# Its only output is a link that logs a browser in, which the ingress makes needless.
exec setpriv --reuid=mains --regid=mains --init-groups --inh-caps=-all --bounding-set=-all --no-new-privs mains serve >/dev/null
