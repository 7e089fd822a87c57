#include "consumer.h"
typedef struct doc *xmlDocPtr;
typedef struct node *xmlNodePtr;
extern void xmlInitParser(void);
extern xmlDocPtr xmlReadMemory(const char *, int, const char *, const char *, int);
extern xmlNodePtr xmlDocGetRootElement(xmlDocPtr);
extern unsigned char *xmlGetProp(xmlNodePtr, const unsigned char *);
extern unsigned char *xmlNodeGetContent(xmlNodePtr);
extern unsigned long xmlChildElementCount(xmlNodePtr);
extern void xmlFreeDoc(xmlDocPtr);
extern void (**__xmlFree(void))(void *);
extern void (*xmlFree)(void *);

static int prepare(int argc, char **argv) {
  (void)argc, (void)argv;
  xmlInitParser();
  return 0;
}

static void let_go(void *context) { (void)context; }

static int use(void **context, unsigned long round) {
  char text[512], number[32], content[64];
  (void)context;
  snprintf(number, sizeof number, "%lu", round);
  snprintf(content, sizeof content, "caf\xc3\xa9 & %lu", round);
  const int size = snprintf(text, sizeof text,
                            "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY e 'caf&#233;'>]><a n='%lu'>&e;<b/> &amp; "
                            "<c>%lu</c></a>",
                            round, round);
  /* XML_PARSE_NOENT | XML_PARSE_NONET */
  xmlDocPtr doc = xmlReadMemory(text, size, "a.xml", NULL, 2 | 2048);
  if (!doc) return 1;
  xmlNodePtr root = xmlDocGetRootElement(doc);
  unsigned char *property = xmlGetProp(root, (const unsigned char *)"n");
  unsigned char *all = xmlNodeGetContent(root);
  const int wrong = !property || !all || strcmp((char *)property, number) != 0 || strcmp((char *)all, content) != 0 ||
                    xmlChildElementCount(root) != 2;
  xmlFree(property);
  xmlFree(all);
  xmlFreeDoc(doc);
  return wrong;
}
