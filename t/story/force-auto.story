# Taken back, what probes have found meanwhile counts at once, from that moment.
hop remote smtp:[relay.example.net]:587 relayhost
at 0s   probe ok -> up
at 1s   force down -> forced-down
at 2s   force auto -> up
at 2s   mail other -> accept
at 3s   force up -> forced-up
at 10s  probe connection-refused hard -> down
at 15s  force auto -> down
at 15s  mail mynetworks -> tempfail "451 4.4.1 relayhost smtp:[relay.example.net]:587 is down since 00:00:15Z: connection refused"
# Where nothing is forced it changes nothing.
at 16s  force auto -> down
