# For two hours, and not a second longer.
hop remote smtp:[relay.example.net]:587 relayhost
interval 3h
at 0s     probe ok -> up
at 10s    force down for 2h -> forced-down
at 7209s  mail mynetworks -> tempfail "451 4.3.2 relayhost smtp:[relay.example.net]:587 is down since 00:00:10Z: down for maintenance"
at 7210s  look -> up
at 7210s  mail mynetworks -> accept
# Said once more before it ends, it lasts longer.
at 7300s  force down for 1m -> forced-down
at 7350s  force down for 1m -> forced-down
at 7409s  look -> forced-down
at 7410s  look -> up
# Taken back before.
at 7500s  force up for 1h -> forced-up
at 7501s  force auto -> up
