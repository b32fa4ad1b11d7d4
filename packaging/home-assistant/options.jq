# Makes mains.toml of the options of the app ($given) and the broker that the supervisor offers (the input, or null).
# A text or a list of JSON is one of TOML as well.
def line($key; $value): if $value == null or $value == "" or $value == [] then empty else "\($key) = \($value | tojson)" end;

. as $broker
| $given[0] as $options
| (if $broker then "mqtt\(if $broker.ssl then "s" else "" end)://\($broker.host):\($broker.port)" else $options.mqtt_url end) as $url
| (if $broker then $broker else {username: $options.mqtt_username, password: $options.mqtt_password} end) as $login
| "[hub]",
  # The address of this machine in the supervisor's network, to which the ingress connects.
  line("listen"; if $options.lan then "0.0.0.0:8480" else "172.30.32.1:8480" end),
  line("hosts"; $options.hosts),
  line("interfaces"; $options.interfaces),
  line("adopt"; $options.adopt),
  line("metering"; $options.metering),
  line("scan"; $options.scan),
  "[place]",
  line("latitude"; $options.latitude),
  line("longitude"; $options.longitude),
  line("timezone"; $options.timezone),
  "[web]",
  # The supervisor.
  line("trusted_proxies"; ["172.30.32.2"]),
  line("ingress_login"; $options.access // "admin"),
  if $options.mqtt != false and ($url // "") != "" then
    "[mqtt]",
    line("url"; $url),
    line("username"; $login.username),
    # A password without a name is a mistake, which the hub tells.
    if ($login.username // "") + ($login.password // "") != "" then line("password_file"; "/run/mains/mqtt-password") else empty end,
    line("base"; $options.mqtt_base),
    line("discovery"; $options.discovery)
  else empty end
