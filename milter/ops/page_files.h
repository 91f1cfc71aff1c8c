/*
 * page_files - page/page.css and page/page.js, built in by scripts/embed
 */
#ifndef FF_PAGE_FILES_H
#define FF_PAGE_FILES_H

extern const char page_style[];
extern const char page_script[];

#endif
