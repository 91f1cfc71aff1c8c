# Each reason that refuses mail, its code and its words; and each that does not.
hop remote smtp:[relay.example.net]:587 relayhost
at 1s  probe transport-undefined hard -> down
at 1s  mail other -> tempfail "451 4.3.5 relayhost is temporarily unavailable: mail transport is not defined in master.cf"
at 2s  probe transport-refused hard -> down
at 2s  mail other -> tempfail "451 4.3.0 relayhost is temporarily unavailable: mail transport refuses connections"
at 3s  probe transport-silent hard -> down
at 3s  mail other -> tempfail "451 4.3.0 relayhost is temporarily unavailable: mail transport does not answer and no delivery agent is running"
at 4s  probe transport-broken hard -> down
at 4s  mail other -> tempfail "451 4.3.0 relayhost is temporarily unavailable: mail transport does not answer as a delivery agent"
at 5s  probe bind-address hard -> down
at 5s  mail other -> tempfail "451 4.3.5 relayhost is temporarily unavailable: the bind address of the mail transport is not usable"
at 6s  probe command-missing hard -> down
at 6s  mail other -> tempfail "451 4.3.5 relayhost is temporarily unavailable: the command or user of the mail transport does not exist"
at 7s  probe nexthop-invalid hard -> down
at 7s  mail other -> tempfail "451 4.3.5 relayhost is temporarily unavailable: the destination is not valid"
at 8s  probe dns-not-found hard -> down
at 8s  mail other -> tempfail "451 4.4.4 relayhost is temporarily unavailable: host not found"
at 9s  probe dns-failure hard -> down
at 9s  mail other -> tempfail "451 4.4.3 relayhost is temporarily unavailable: name service error"
at 10s  probe connection-refused hard -> down
at 10s  mail other -> tempfail "451 4.4.1 relayhost is temporarily unavailable: connection refused"
at 11s  probe connection-timeout hard -> down
at 11s  mail other -> tempfail "451 4.4.1 relayhost is temporarily unavailable: connection timed out"
at 12s  probe host-unreachable hard -> down
at 12s  mail other -> tempfail "451 4.4.1 relayhost is temporarily unavailable: host or network unreachable"
at 13s  probe socket-missing hard -> down
at 13s  mail other -> tempfail "451 4.4.1 relayhost is temporarily unavailable: socket does not exist"
at 14s  probe greeting-timeout hard -> down
at 14s  mail other -> tempfail "451 4.4.2 relayhost is temporarily unavailable: no greeting in time"
at 15s  probe connection-lost hard -> down
at 15s  mail other -> tempfail "451 4.4.2 relayhost is temporarily unavailable: connection lost"
at 16s  probe service-unavailable hard -> down
at 16s  mail other -> tempfail "451 4.3.2 relayhost is temporarily unavailable: service not available"
at 17s  probe service-rejected hard -> down
at 17s  mail other -> tempfail "451 4.3.2 relayhost is temporarily unavailable: service refuses to talk to us"
at 18s  probe protocol-error hard -> down
at 18s  mail other -> tempfail "451 4.5.0 relayhost is temporarily unavailable: protocol error"
at 19s  probe tls-unavailable hard -> down
at 19s  mail other -> tempfail "451 4.7.4 relayhost is temporarily unavailable: TLS is required but not available"
at 20s  probe tls-handshake hard -> down
at 20s  mail other -> tempfail "451 4.7.5 relayhost is temporarily unavailable: TLS handshake failed"
at 21s  probe tls-certificate hard -> down
at 21s  mail other -> tempfail "451 4.7.5 relayhost is temporarily unavailable: server certificate not verified"
at 22s  probe auth-unavailable hard -> down
at 22s  mail other -> tempfail "451 4.7.0 relayhost is temporarily unavailable: no usable authentication mechanism"
at 23s  probe auth-rejected hard -> down
at 23s  mail other -> tempfail "451 4.7.8 relayhost is temporarily unavailable: authentication rejected"
at 24s  probe loop hard -> down
at 24s  mail other -> tempfail "451 4.4.6 relayhost is temporarily unavailable: mail would loop back to this host"
at 30s  force down -> forced-down
at 30s  mail other -> tempfail "451 4.3.2 relayhost is temporarily unavailable: down for maintenance"
at 31s  force auto -> down
at 32s  probe local-error -> unknown
at 32s  mail other -> accept
at 33s  probe transport-busy -> degraded
at 33s  mail other -> tag
at 34s  probe tls-expiring -> degraded
at 34s  mail other -> tag
at 35s  probe slow -> degraded
at 35s  mail other -> tag
at 36s  probe partial -> degraded
at 36s  mail other -> tag
