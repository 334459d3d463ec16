"""The balancer of the gallery: services, their servers, Maglev tables, counts."""
