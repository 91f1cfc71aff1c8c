/*
 * dns_hosts - addresses of a name in hosts(5)
 *
 * Read anew each time: the file is small, and what it says is kept for a while by who asks.  A name may be in several
 * lines; getaddrinfo(3) takes them all.
 */
#include "probe/dns_hosts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HOSTS "/etc/hosts"

/* has_name - the rest of a line behind the address; it is cut into words */
static bool has_name(char *names, const char *host)
{
	char *rest = NULL;

	for (char *name = strtok_r(names, " \t\n", &rest); name != NULL;
		name = strtok_r(NULL, " \t\n", &rest))
		if (strcasecmp(name, host) == 0)
			return true;
	return false;
}

size_t dns_hosts_find(const char *host, uint16_t port, struct net_address *addresses, size_t max)
{
	FILE *file = fopen(HOSTS, "re");
	char *line = NULL;
	size_t room = 0, found = 0;

	if (file == NULL)
		return 0;
	while (found < max && getline(&line, &room, file) >= 0) {
		char *address, *names = NULL;

		line[strcspn(line, "#")] = '\0';
		address = strtok_r(line, " \t\n", &names);
		if (address != NULL && has_name(names, host) &&
			net_address_numeric(&addresses[found], address, port))
			found++;
	}
	free(line);
	(void)fclose(file);
	return found;
}
