"""Reports over MQTT what Home Assistant knows, and calls its services. Each request has a number, and a retained reply."""

import json

from homeassistant.components import mqtt
from homeassistant.helpers import device_registry, entity_registry
from homeassistant.helpers.json import json_dumps
from homeassistant.helpers.start import async_at_started


async def async_setup(hass, config):
    """Begin to serve requests when Home Assistant has started."""

    def report():
        entities = entity_registry.async_get(hass).entities.values()
        devices = device_registry.async_get(hass).devices.values()
        states = {state.entity_id: state.state for state in hass.states.async_all()}
        return {
            "entities": {
                entity.unique_id: {"id": entity.entity_id, "state": states.get(entity.entity_id)}
                for entity in entities
                if entity.platform == "mqtt"
            },
            "devices": {
                device.name: {
                    "area": device.area_id,
                    "url": device.configuration_url,
                    "via": bool(device.via_device_id),
                }
                for device in devices
                if any(identifier[0] == "mqtt" for identifier in device.identifiers)
            },
        }

    async def energy(preferences):
        from homeassistant.components.energy import data, validate

        manager = await data.async_get_manager(hass)
        await manager.async_update(preferences)
        return (await validate.async_validate(hass)).as_dict()

    async def serve(message):
        await hass.async_block_till_done()
        request = json.loads(message.payload)
        if "service" in request:
            domain, service = request["service"].split(".")
            await hass.services.async_call(domain, service, request["data"], blocking=True)
            reply = {}
        elif "energy" in request:
            reply = await energy(request["energy"])
        else:
            reply = report()
        topic = f"probe/reply/{request['number']}"
        await mqtt.async_publish(hass, topic, json_dumps(reply), 1, True)

    async def start(_):
        await mqtt.async_wait_for_mqtt_client(hass)
        await mqtt.async_subscribe(hass, "probe/request", serve, 1)
        await mqtt.async_publish(hass, "probe/reply/0", "{}", 1, True)

    async_at_started(hass, start)
    return True
