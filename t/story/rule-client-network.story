# "client" takes networks and addresses, IPv4 and IPv6.
hop local smtp-amavis:[127.0.0.1]:10024 content-filter
rule "monitoring" { client = {"192.0.2.0/24", "[2001:db8::]/32", "198.51.100.7"} action = "accept" }
at 0s  probe connection-refused hard -> down
at 1s  mail other at 192.0.2.255 -> accept
at 1s  mail other at 198.51.100.7 -> accept
at 1s  mail other at 2001:db8:ffff::1 -> accept
at 1s  mail authenticated at 192.0.2.1 -> accept
at 1s  rule-for other at 192.0.3.1 -> none
at 1s  rule-for other at 198.51.100.8 -> none
at 1s  rule-for other at 2001:db9::1 -> none
at 1s  rule-for local -> none
