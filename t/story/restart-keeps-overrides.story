# What the operator said for four hours is not forgotten because the daemon was away for an hour.
hop remote smtp:[relay.example.net]:587 relayhost
interval 1h
at 0s      probe ok -> up
at 10s     force down for 4h saying new disks -> forced-down
at 3610s   restart file 11s -> forced-down
at 3611s   mail mynetworks -> tempfail "451 4.3.2 relayhost smtp:[relay.example.net]:587 is down since 00:00:10Z: down for maintenance (new disks)"
at 14409s  look -> forced-down
at 14410s  look -> unknown
