# Ten minutes, and what was known of hops is nothing any more.
hop remote smtp:[relay.example.net]:587 relayhost
interval 1h
at 0s    probe connection-refused hard -> down
at 600s  restart file 0s -> down
at 700s  restart file 99s -> unknown
at 701s  probe connection-timeout -> unknown
at 702s  probe connection-timeout -> unknown
at 703s  probe connection-timeout -> down
