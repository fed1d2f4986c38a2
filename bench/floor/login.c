/* Login (RFC 7143 §6, §13) and SendTargets, as little of them as initiators insist on. */
#include "floor.h"
#include <stdio.h>
#include <stdlib.h>

/* One key of a login request, answered as RFC 7143 §13 asks of a target without digests and recovery. */
static size_t answer_key(struct connection *c, const char *key, const char *value, char *out)
{
	static const char *const fixed[][2] = {
		{ "HeaderDigest", "None" }, { "DataDigest", "None" }, { "AuthMethod", "None" }, { "MaxConnections", "1" },
		{ "MaxOutstandingR2T", "1" }, { "ErrorRecoveryLevel", "0" }, { "DefaultTime2Retain", "0" },
		{ "IFMarker", "No" }, { "OFMarker", "No" }, { "InitiatorName", NULL }, { "InitiatorAlias", NULL },
		{ "TargetName", NULL }, { "SessionType", NULL },
	};
	static const char echoed[] = " InitialR2T ImmediateData DataPDUInOrder DataSequenceInOrder DefaultTime2Wait ";
	uint32_t number = strtoul(value, NULL, 0);
	char padded[66];

	for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
		if (!strcmp(key, fixed[i][0]))
			return fixed[i][1] ? sprintf(out, "%s=%s", key, fixed[i][1]) + 1 : 0;
	snprintf(padded, sizeof padded, " %s ", key);
	if (strstr(echoed, padded))
		return sprintf(out, "%s=%.8s", key, value) + 1;
	number = number < BURST_MAX ? number : BURST_MAX;
	if (!strcmp(key, "MaxBurstLength"))
		return sprintf(out, "%s=%u", key, c->max_burst = number) + 1;
	if (!strcmp(key, "FirstBurstLength"))
		return sprintf(out, "%s=%u", key, number) + 1;
	if (!strcmp(key, "MaxRecvDataSegmentLength") && number >= PEER_SEGMENT_MIN)
		return sprintf(out, "%s=%u", key, SEGMENT_MAX) + (c->peer_segment = number, 1);
	return sprintf(out, "%.64s=NotUnderstood", key) + 1;
}

void login(struct connection *c, const uint8_t *pdu, char *text)
{
	char *out = (char *)c->text, *end = text + segment_length(pdu), *equals;
	uint8_t *response;

	if (c->stat_sn == 0)
		out += sprintf(out, "TargetPortalGroupTag=1") + 1;
	for (char *key = text; key < end && (equals = strchr(key, '=')); key = equals + strlen(equals) + 1) {
		if (out - (char *)c->text > TEXT_MAX - 512)
			break;
		*equals = 0;
		out += answer_key(c, key, ++equals, out);
	}
	c->exp_cmd_sn = get32(pdu + 24);
	response = status_reply(c, 0x23, pdu[1] & 0x8f, get32(pdu + 16), c->text, out - (char *)c->text);
	memcpy(response + 8, pdu + 8, 6);
	response[15] = (pdu[1] & 0x83) == 0x83; /* TSIH, once in full feature phase */
}

void text_request(struct connection *c, const uint8_t *pdu)
{
	char *out = (char *)c->text;

	out += sprintf(out, "TargetName=" TARGET) + 1;
	out += sprintf(out, "TargetAddress=127.0.0.1:%d,1", port) + 1;
	put32(status_reply(c, 0x24, 0x80, get32(pdu + 16), c->text, out - (char *)c->text) + 20, 0xffffffff);
}
