# When we are out of descriptors the hop is not to blame, not even one that was down.
hop remote smtp:[relay.example.net]:587 relayhost
at 0s   probe ok -> up
at 10s  probe local-error -> unknown
at 10s  mail other -> accept
at 11s  probe service-rejected -> unknown
at 12s  probe service-rejected -> unknown
at 13s  probe service-rejected -> down
at 13s  mail other -> tempfail "451 4.3.2 relayhost is temporarily unavailable: service refuses to talk to us"
at 18s  probe local-error -> unknown
at 18s  mail other -> accept
