# Of several hops that are down the one that mail meets first is named.
hop local smtpd_proxy_filter:127.0.0.1:10026 proxy-filter
hop local smtp-amavis:[127.0.0.1]:10024 content-filter
hop remote smtp:[relay.example.net]:587 relayhost
at 0s  probe relayhost service-unavailable hard -> down
at 1s  mail other -> tempfail "451 4.3.2 relayhost is temporarily unavailable: service not available"
at 2s  probe content-filter connection-lost hard -> down
at 3s  mail other -> tempfail "451 4.4.2 content filter is temporarily unavailable: connection lost"
at 4s  probe proxy-filter connection-refused hard -> down
at 5s  mail other -> tempfail "451 4.4.1 proxy filter is temporarily unavailable: connection refused"
at 6s  probe proxy-filter ok -> up
at 6s  probe content-filter ok -> up
at 7s  mail authenticated -> tempfail "451 4.3.2 relayhost smtp:[relay.example.net]:587 is down since 00:00:00Z: service not available"
