<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<!--
The same word for the same thing:
  approve 승인 · withdraw approval 승인 취소 · review 검토 · finding 지적 사항 · not looked at 미확인
  structure 구조물 · structure set 구조물 세트 · contour, outline 윤곽 · auto-contour 자동 컨투어링 · slice 슬라이스
  planning CT 치료계획 CT · planning system 치료계획 시스템 · scan CT · case 케이스 · series 시리즈 · template 템플릿
  axial 축상면 · coronal 관상면 · sagittal 시상면 · above 위 (머리 쪽) · below 아래 (발 쪽) · window/level 윈도우/레벨
  brush 브러시 · eraser 지우개 · push 밀기 · freehand 자유곡선 · smart brush 스마트 브러시 · flood 영역 확장 · points 점 편집
  ruler 자 · interpolate 보간 · smooth 평활화 · simplify 단순화 · threshold 임계값 · margin 마진 · crop 크롭 · boolean 불리언 연산
  lock 잠금 · undo 실행 취소 · redo 다시 실행 · revert 되돌리기 · fix 수정 · export 내보내기 · label 라벨 · network 모델
Menus and buttons are nouns; sentences end in 습니다 or 하세요. After a name no particle that would depend on its sound:
"{name}: …" or "{name} 구조물을". Names of structures, DICOM terms, codes, HU, DSC and HD95 stay as they are.
-->
<TS version="2.1" language="ko" sourcelanguage="en">
  <context>
    <name>autocontour</name>
    <message>
      <source> about {seconds} s left</source>
      <translation> 약 {seconds}초 남음</translation>
    </message>
    <message>
      <source> or </source>
      <translation> 또는 </translation>
    </message>
    <message>
      <source>+ Add</source>
      <translation>+ 추가</translation>
    </message>
    <message>
      <source>3D view</source>
      <translation>3D 화면</translation>
    </message>
    <message>
      <source>3D: cut at the axial slice</source>
      <translation>3D: 축상면에서 자름</translation>
    </message>
    <message>
      <source>3D: not cut</source>
      <translation>3D: 자르지 않음</translation>
    </message>
    <message>
      <source>3D: {tissue}</source>
      <translation>3D: {tissue}</translation>
    </message>
    <message>
      <source>5th percentile</source>
      <translation>5 백분위수</translation>
    </message>
    <message>
      <source>95 % interval</source>
      <translation>95 % 구간</translation>
    </message>
    <message>
      <source>95 % interval of the bias</source>
      <translation>편향의 95 % 구간</translation>
    </message>
    <message>
      <source>95 % interval of the mean</source>
      <translation>평균의 95 % 구간</translation>
    </message>
    <message>
      <source>95th percentile Hausdorff distance, as `autocontour evaluate` computes it</source>
      <translation>양쪽 표면의 95 %가 서로 이 거리 안에 있습니다 (`autocontour evaluate`와 같은 계산)</translation>
    </message>
    <message>
      <source>; cropped by {cc} cm³</source>
      <translation>; {cc} cm³ 잘라 냄</translation>
    </message>
    <message>
      <source>; {cc} cm³ subtracted</source>
      <translation>; {cc} cm³ 뺌</translation>
    </message>
    <message>
      <source>A box around the crosshair</source>
      <translation>십자선 주위 상자</translation>
    </message>
    <message>
      <source>A case was set aside: {code}</source>
      <translation>사례가 제외되었습니다: {code}</translation>
    </message>
    <message>
      <source>A new structure</source>
      <translation>새 구조물</translation>
    </message>
    <message>
      <source>A package called {name} is installed. Replace it?</source>
      <translation>이름이 같은 패키지가 설치되어 있습니다: {name}. 바꾸겠습니까?</translation>
    </message>
    <message>
      <source>A research volume has no DICOM series to refer to; no structure set can be written.</source>
      <translation>연구용 볼륨에는 참조할 DICOM 시리즈가 없어 구조물 세트를 저장할 수 없습니다.</translation>
    </message>
    <message>
      <source>About autocontour</source>
      <translation>autocontour 정보</translation>
    </message>
    <message>
      <source>About the package</source>
      <translation>패키지 정보</translation>
    </message>
    <message>
      <source>Accept all</source>
      <translation>모두 수락</translation>
    </message>
    <message>
      <source>Accept all proposed slices, as one step</source>
      <translation>제안된 단면을 모두 한 단계로 수락합니다</translation>
    </message>
    <message>
      <source>Accept proposal</source>
      <translation>제안 수락</translation>
    </message>
    <message>
      <source>Accept proposal from here down</source>
      <translation>여기부터 아래로 제안 수락</translation>
    </message>
    <message>
      <source>Accept proposal from here up</source>
      <translation>여기부터 위로 제안 수락</translation>
    </message>
    <message>
      <source>Accept proposal on slice</source>
      <translation>이 단면의 제안 수락</translation>
    </message>
    <message>
      <source>Accept the proposal on this slice</source>
      <translation>이 단면의 제안을 수락합니다</translation>
    </message>
    <message>
      <source>Accept the proposal on this slice and all towards the feet</source>
      <translation>이 단면과 발 쪽 모든 단면의 제안을 수락합니다</translation>
    </message>
    <message>
      <source>Accept the proposal on this slice and all towards the head</source>
      <translation>이 단면과 머리 쪽 모든 단면의 제안을 수락합니다</translation>
    </message>
    <message>
      <source>Accepted on {count} slice.</source>
      <translation>슬라이스 {count}개에 반영했습니다.</translation>
    </message>
    <message>
      <source>Accepted on {count} slices.</source>
      <translation>슬라이스 {count}개에 반영했습니다.</translation>
    </message>
    <message>
      <source>Add</source>
      <translation>추가</translation>
    </message>
    <message>
      <source>Add a copy of it</source>
      <translation>구조물의 사본을 추가합니다</translation>
    </message>
    <message>
      <source>Add a structure</source>
      <translation>구조물 추가</translation>
    </message>
    <message>
      <source>Add a structure to the result</source>
      <translation>결과에 구조물 더하기</translation>
    </message>
    <message>
      <source>Add an empty structure</source>
      <translation>빈 구조물을 추가합니다</translation>
    </message>
    <message>
      <source>Add structures of a site…</source>
      <translation>부위별 구조물 추가…</translation>
    </message>
    <message>
      <source>Add structures of {name}</source>
      <translation>{name} 부위 구조물 추가</translation>
    </message>
    <message>
      <source>Add the empty structures of a template</source>
      <translation>템플릿의 구조물을 빈 상태로 추가합니다</translation>
    </message>
    <message>
      <source>Add the structures of an RTSTRUCT of this scan</source>
      <translation>이 CT의 RTSTRUCT에서 구조물을 추가합니다</translation>
    </message>
    <message>
      <source>Add to {name}</source>
      <translation>{name}에 더하기</translation>
    </message>
    <message>
      <source>Add {name}</source>
      <translation>{name} 추가</translation>
    </message>
    <message>
      <source>Added path</source>
      <translation>추가 경로</translation>
    </message>
    <message>
      <source>Added path length, mm</source>
      <translation>추가 경로 길이, mm</translation>
    </message>
    <message>
      <source>Added path length: outline that is not in the set, as `autocontour evaluate` computes it</source>
      <translation>비교 세트에 없는 구조물 윤곽의 길이 (`autocontour evaluate`와 같은 계산)</translation>
    </message>
    <message>
      <source>Address</source>
      <translation>주소</translation>
    </message>
    <message>
      <source>Add…</source>
      <translation>추가…</translation>
    </message>
    <message>
      <source>Against limits</source>
      <translation>한계값과의 비교</translation>
    </message>
    <message>
      <source>Agreement of the reviewers</source>
      <translation>검토자 간 일치도</translation>
    </message>
    <message>
      <source>Air</source>
      <translation>공기</translation>
    </message>
    <message>
      <source>All</source>
      <translation>모두 선택</translation>
    </message>
    <message>
      <source>All slices</source>
      <translation>모든 슬라이스</translation>
    </message>
    <message>
      <source>All structures</source>
      <translation>모든 구조물</translation>
    </message>
    <message>
      <source>All structures that were made by a recipe are up to date.</source>
      <translation>레시피로 만든 구조물이 모두 최신 상태입니다.</translation>
    </message>
    <message>
      <source>All {count} tasks are answered. After finishing, no answer can be changed.</source>
      <translation>{count}개 항목에 모두 답했습니다. 완료하면 답변을 바꿀 수 없습니다.</translation>
    </message>
    <message>
      <source>Always</source>
      <translation>항상</translation>
    </message>
    <message>
      <source>An error occurred ({fault}). Your answers are saved.</source>
      <translation>오류가 발생했습니다({fault}). 답변은 저장되어 있습니다.</translation>
    </message>
    <message>
      <source>An error occurred ({fault}). Your contours are saved.</source>
      <translation>작업에 실패했습니다({fault}). 윤곽은 저장되어 있습니다.</translation>
    </message>
    <message>
      <source>An nnInteractive server answers clicks. The voxels of this CT are sent to it, nothing about the patient.</source>
      <translation>nnInteractive 서버가 클릭에 응답합니다. 이 CT의 복셀만 서버로 전송되며 환자 정보는 전송되지 않습니다.</translation>
    </message>
    <message>
      <source>Another computation is running: wait for it, or cancel it.</source>
      <translation>다른 계산이 진행 중입니다. 끝나기를 기다리거나 취소하세요.</translation>
    </message>
    <message>
      <source>Another course…</source>
      <translation>다른 코스…</translation>
    </message>
    <message>
      <source>Answer both questions: 1, 2 or 3, and 4 or 5.</source>
      <translation>두 질문에 모두 답하십시오: 1, 2, 3 중 하나와 4, 5 중 하나.</translation>
    </message>
    <message>
      <source>Anterior</source>
      <translation>앞 (Ant)</translation>
    </message>
    <message>
      <source>Anterior (A)</source>
      <translation>앞쪽 (A)</translation>
    </message>
    <message>
      <source>Apply</source>
      <translation>적용</translation>
    </message>
    <message>
      <source>Apply the change that is shown</source>
      <translation>표시된 변경을 적용합니다</translation>
    </message>
    <message>
      <source>Apply the change that is shown, as one step</source>
      <translation>표시된 변경을 한 단계로 적용합니다</translation>
    </message>
    <message>
      <source>Apply to range</source>
      <translation>범위에 적용</translation>
    </message>
    <message>
      <source>Approve</source>
      <translation>승인</translation>
    </message>
    <message>
      <source>Approve all structures that were viewed, as one step</source>
      <translation>확인한 구조물을 한 단계로 모두 승인</translation>
    </message>
    <message>
      <source>Approve the structure, or withdraw the approval</source>
      <translation>구조물을 현재 상태로 승인하거나 승인을 취소합니다</translation>
    </message>
    <message>
      <source>Approve viewed structures</source>
      <translation>확인한 구조물 승인</translation>
    </message>
    <message>
      <source>Approve viewed structures…</source>
      <translation>확인한 구조물 승인…</translation>
    </message>
    <message>
      <source>Approve {name}</source>
      <translation>{name} 승인</translation>
    </message>
    <message>
      <source>Approved</source>
      <translation>승인</translation>
    </message>
    <message>
      <source>Approved by</source>
      <translation>승인자</translation>
    </message>
    <message>
      <source>Approved by {name}</source>
      <translation>승인자: {name}</translation>
    </message>
    <message>
      <source>Approved, corrected cases retrain the package. A share of the patients is put aside for the test. A candidate is used only after it has passed the gate, or by your reasoned decision.</source>
      <translation>승인되고 수정된 사례로 패키지를 다시 학습합니다. 환자의 일부는 시험용으로 따로 둡니다. 후보는 검증을 통과했거나 이유를 밝혀 결정한 경우에만 사용합니다.</translation>
    </message>
    <message>
      <source>Approve…</source>
      <translation>승인…</translation>
    </message>
    <message>
      <source>As its files state</source>
      <translation>모델 파일에 적힌 대로</translation>
    </message>
    <message>
      <source>As the system</source>
      <translation>시스템 언어</translation>
    </message>
    <message>
      <source>Auto</source>
      <translation>자동</translation>
    </message>
    <message>
      <source>Auto-contour</source>
      <translation>자동 컨투어링</translation>
    </message>
    <message>
      <source>Auto-contour this structure alone</source>
      <translation>이 구조물만 자동 컨투어링합니다</translation>
    </message>
    <message>
      <source>Auto-contour {name}</source>
      <translation>{name} 자동 컨투어링</translation>
    </message>
    <message>
      <source>Auto-contouring</source>
      <translation>자동 컨투어링</translation>
    </message>
    <message>
      <source>Auto-contouring was stopped; what was drawn so far is there.</source>
      <translation>자동 컨투어링을 중단했습니다. 지금까지 그린 구조물은 남아 있습니다.</translation>
    </message>
    <message>
      <source>Automatic</source>
      <translation>자동</translation>
    </message>
    <message>
      <source>Automatic (matching site)</source>
      <translation>자동 (부위에 맞는 모델)</translation>
    </message>
    <message>
      <source>Automation bias: closeness to the automatic contour, approved − drawn from nothing</source>
      <translation>자동화 편향: 자동 윤곽과의 근접도, 승인된 윤곽 − 처음부터 그린 윤곽</translation>
    </message>
    <message>
      <source>Axial</source>
      <translation>축상면</translation>
    </message>
    <message>
      <source>Axial slices</source>
      <translation>축상면 슬라이스</translation>
    </message>
    <message>
      <source>Back</source>
      <translation>뒤로</translation>
    </message>
    <message>
      <source>Back to the views</source>
      <translation>화면으로 돌아가기</translation>
    </message>
    <message>
      <source>Begin a range of slices on this slice</source>
      <translation>이 슬라이스에서 슬라이스 범위를 시작합니다</translation>
    </message>
    <message>
      <source>Begin range here</source>
      <translation>범위 시작</translation>
    </message>
    <message>
      <source>Blind review</source>
      <translation>블라인드 검토</translation>
    </message>
    <message>
      <source>Blind review…</source>
      <translation>블라인드 검토…</translation>
    </message>
    <message>
      <source>Bone</source>
      <translation>뼈</translation>
    </message>
    <message>
      <source>Bone and skin in 3D</source>
      <translation>3D에 뼈와 피부 표시</translation>
    </message>
    <message>
      <source>Boolean</source>
      <translation>불리언 연산</translation>
    </message>
    <message>
      <source>Boolean…</source>
      <translation>불리언 연산…</translation>
    </message>
    <message>
      <source>Born</source>
      <translation>생년월일</translation>
    </message>
    <message>
      <source>Box plots</source>
      <translation>상자 그림</translation>
    </message>
    <message>
      <source>Brain</source>
      <translation>뇌</translation>
    </message>
    <message>
      <source>Browse…</source>
      <translation>찾아보기…</translation>
    </message>
    <message>
      <source>Brush</source>
      <translation>브러시</translation>
    </message>
    <message>
      <source>By need</source>
      <translation>검토 필요순</translation>
    </message>
    <message>
      <source>CASES</source>
      <translation>케이스</translation>
    </message>
    <message>
      <source>CT</source>
      <translation>CT</translation>
    </message>
    <message>
      <source>CT hash</source>
      <translation>CT 해시</translation>
    </message>
    <message>
      <source>CT not found</source>
      <translation>CT 없음</translation>
    </message>
    <message>
      <source>CTs of the course</source>
      <translation>코스의 CT</translation>
    </message>
    <message>
      <source>Cancel</source>
      <translation>취소</translation>
    </message>
    <message>
      <source>Cannot be drawn on this scan</source>
      <translation>이 영상에서 그릴 수 없음</translation>
    </message>
    <message>
      <source>Cases</source>
      <translation>케이스</translation>
    </message>
    <message>
      <source>Centre every view on the selected structure and zoom to it</source>
      <translation>모든 보기를 선택한 구조물에 맞추고 확대합니다</translation>
    </message>
    <message>
      <source>Change how it is made from other structures</source>
      <translation>다른 구조물로 만드는 방법을 바꿉니다</translation>
    </message>
    <message>
      <source>Change its RT ROI Interpreted Type</source>
      <translation>RT ROI Interpreted Type을 바꿉니다</translation>
    </message>
    <message>
      <source>Change its colour</source>
      <translation>색을 바꿉니다</translation>
    </message>
    <message>
      <source>Change its name; TG-263 names are suggested</source>
      <translation>이름을 바꿉니다. TG-263 이름이 제안됩니다</translation>
    </message>
    <message>
      <source>Change nothing</source>
      <translation>변경하지 않습니다</translation>
    </message>
    <message>
      <source>Change of a range of slices</source>
      <translation>슬라이스 범위의 변경</translation>
    </message>
    <message>
      <source>Change recipe…</source>
      <translation>레시피 변경…</translation>
    </message>
    <message>
      <source>Change the theme</source>
      <translation>화면 테마를 바꿉니다</translation>
    </message>
    <message>
      <source>Change {name}</source>
      <translation>{name} 변경</translation>
    </message>
    <message>
      <source>Check and write the RTSTRUCT</source>
      <translation>RTSTRUCT를 점검하고 저장합니다</translation>
    </message>
    <message>
      <source>Choose a CT of the course.</source>
      <translation>코스의 CT를 선택하십시오.</translation>
    </message>
    <message>
      <source>Choose a patient to see its slices.</source>
      <translation>환자를 선택하면 단면별 값이 표시됩니다.</translation>
    </message>
    <message>
      <source>Choose a range of slices first: , begins it on this slice, . ends it, Ctrl+A chooses all slices.</source>
      <translation>먼저 슬라이스 범위를 고르세요. 쉼표(,)는 이 슬라이스에서 시작, 마침표(.)는 끝, Ctrl+A는 모든 슬라이스입니다.</translation>
    </message>
    <message>
      <source>Choose a reason, or type one (not the patient's name)</source>
      <translation>이유를 고르거나 입력하세요 (환자 이름은 쓰지 마세요)</translation>
    </message>
    <message>
      <source>Choose a series</source>
      <translation>시리즈 선택</translation>
    </message>
    <message>
      <source>Choose a structure to draw, or add one.</source>
      <translation>그릴 구조물을 선택하거나 추가하세요.</translation>
    </message>
    <message>
      <source>Choose all slices</source>
      <translation>모든 슬라이스를 고릅니다</translation>
    </message>
    <message>
      <source>Choose the folder that holds the CT of this case</source>
      <translation>이 케이스의 CT가 있는 폴더 선택</translation>
    </message>
    <message>
      <source>Choose the image file of this case</source>
      <translation>이 케이스의 영상 파일 선택</translation>
    </message>
    <message>
      <source>Choose this slice and all towards the feet</source>
      <translation>이 슬라이스와 발 쪽의 모든 슬라이스를 고릅니다</translation>
    </message>
    <message>
      <source>Choose this slice and all towards the head</source>
      <translation>이 슬라이스와 머리 쪽의 모든 슬라이스를 고릅니다</translation>
    </message>
    <message>
      <source>Clear range</source>
      <translation>범위 해제</translation>
    </message>
    <message>
      <source>Clear the range of slices</source>
      <translation>슬라이스 범위를 해제합니다</translation>
    </message>
    <message>
      <source>Click</source>
      <translation>클릭</translation>
    </message>
    <message>
      <source>Click into the structure, Shift: beside it; Return accepts what a click server proposes</source>
      <translation>구조물 안을 클릭, Shift: 바깥을 클릭; Enter로 클릭 서버의 제안을 반영합니다</translation>
    </message>
    <message>
      <source>Click server</source>
      <translation>클릭 서버</translation>
    </message>
    <message>
      <source>Click server…</source>
      <translation>클릭 서버…</translation>
    </message>
    <message>
      <source>Clockwise</source>
      <translation>시계 방향 회전</translation>
    </message>
    <message>
      <source>Close</source>
      <translation>닫기</translation>
    </message>
    <message>
      <source>Close the program; everything is saved</source>
      <translation>프로그램을 닫습니다. 모두 저장되어 있습니다</translation>
    </message>
    <message>
      <source>Collect approved cases on this computer</source>
      <translation>이 컴퓨터에서 승인된 사례 수집</translation>
    </message>
    <message>
      <source>Colour</source>
      <translation>색</translation>
    </message>
    <message>
      <source>Colour…</source>
      <translation>색…</translation>
    </message>
    <message>
      <source>Combine two structures, slice by slice.</source>
      <translation>두 구조물을 슬라이스마다 연산합니다.</translation>
    </message>
    <message>
      <source>Combine, intersect or subtract structures</source>
      <translation>구조물을 합치거나, 겹친 부분만 남기거나, 뺍니다</translation>
    </message>
    <message>
      <source>Compare</source>
      <translation>비교</translation>
    </message>
    <message>
      <source>Compare the edited contours with the original ones</source>
      <translation>자동 윤곽과 수정한 윤곽을 비교해 봅니다</translation>
    </message>
    <message>
      <source>Compare with</source>
      <translation>비교할 파일</translation>
    </message>
    <message>
      <source>Compare with another RTSTRUCT</source>
      <translation>다른 RTSTRUCT와 비교</translation>
    </message>
    <message>
      <source>Compare with files…</source>
      <translation>파일과 비교…</translation>
    </message>
    <message>
      <source>Comparison</source>
      <translation>비교</translation>
    </message>
    <message>
      <source>Comparisons with the patient's anatomy</source>
      <translation>환자 해부 구조와 비교</translation>
    </message>
    <message>
      <source>Computing the preview…</source>
      <translation>미리보기 계산 중…</translation>
    </message>
    <message>
      <source>Confirmed by</source>
      <translation>확인한 사람</translation>
    </message>
    <message>
      <source>Connect</source>
      <translation>연결</translation>
    </message>
    <message>
      <source>Connect to a click server</source>
      <translation>클릭 서버에 연결</translation>
    </message>
    <message>
      <source>Connect to an nnInteractive server, which answers clicks</source>
      <translation>클릭에 응답하는 nnInteractive 서버에 연결합니다</translation>
    </message>
    <message>
      <source>Connected: click into the structure, with Shift beside it; Return accepts.</source>
      <translation>연결되었습니다. 구조물 안을 클릭하고, Shift를 누른 채 바깥을 클릭하세요. Enter로 반영합니다.</translation>
    </message>
    <message>
      <source>Continue this case</source>
      <translation>이 케이스 계속하기</translation>
    </message>
    <message>
      <source>Continue with the recovered changes</source>
      <translation>복구된 상태로 계속합니다</translation>
    </message>
    <message>
      <source>Copy down</source>
      <translation>아래로 복사</translation>
    </message>
    <message>
      <source>Copy slice {slice} to range</source>
      <translation>{slice}번 슬라이스를 범위에 복사</translation>
    </message>
    <message>
      <source>Copy the outline of this slice to the slices of the range</source>
      <translation>이 슬라이스의 윤곽을 범위의 슬라이스에 복사합니다</translation>
    </message>
    <message>
      <source>Copy the outline towards the feet and go there</source>
      <translation>윤곽을 발 쪽 슬라이스에 복사하고 이동합니다</translation>
    </message>
    <message>
      <source>Copy the outline towards the head and go there</source>
      <translation>윤곽을 머리 쪽 슬라이스에 복사하고 이동합니다</translation>
    </message>
    <message>
      <source>Copy to next slice</source>
      <translation>다음 슬라이스에 복사</translation>
    </message>
    <message>
      <source>Copy to range</source>
      <translation>범위에 복사</translation>
    </message>
    <message>
      <source>Copy to slice above</source>
      <translation>위 슬라이스에 복사</translation>
    </message>
    <message>
      <source>Copy to slice below</source>
      <translation>아래 슬라이스에 복사</translation>
    </message>
    <message>
      <source>Copy up</source>
      <translation>위로 복사</translation>
    </message>
    <message>
      <source>Coronal</source>
      <translation>관상면</translation>
    </message>
    <message>
      <source>Correct a slice of {name} first: the others follow it.</source>
      <translation>먼저 {name}의 단면을 하나 수정하십시오. 다른 단면이 이를 따라갑니다.</translation>
    </message>
    <message>
      <source>Correct this contour until you would approve it for a plan.</source>
      <translation>실제 계획에서 승인할 수 있을 때까지 이 윤곽을 수정하십시오.</translation>
    </message>
    <message>
      <source>Course</source>
      <translation>코스</translation>
    </message>
    <message>
      <source>Course…</source>
      <translation>코스…</translation>
    </message>
    <message>
      <source>Crop</source>
      <translation>크롭</translation>
    </message>
    <message>
      <source>Crop {name} at another structure.</source>
      <translation>{name} 윤곽을 다른 구조물을 기준으로 잘라 냅니다.</translation>
    </message>
    <message>
      <source>Crop…</source>
      <translation>크롭…</translation>
    </message>
    <message>
      <source>Ctrl + wheel</source>
      <translation>Ctrl + 휠</translation>
    </message>
    <message>
      <source>Curve over the dates</source>
      <translation>날짜별 곡선</translation>
    </message>
    <message>
      <source>Cut 3D at the slice</source>
      <translation>3D를 축상면에서 자르기</translation>
    </message>
    <message>
      <source>DSC</source>
      <translation>DSC</translation>
    </message>
    <message>
      <source>DSC approved</source>
      <translation>DSC, 승인</translation>
    </message>
    <message>
      <source>DSC drawn</source>
      <translation>DSC, 직접 그림</translation>
    </message>
    <message>
      <source>DSC mean ± SD</source>
      <translation>DSC 평균 ± SD</translation>
    </message>
    <message>
      <source>DSC median (quartiles)</source>
      <translation>DSC 중앙값(사분위수)</translation>
    </message>
    <message>
      <source>DSC median (range)</source>
      <translation>DSC 중앙값(범위)</translation>
    </message>
    <message>
      <source>DSC with the STAPLE consensus</source>
      <translation>STAPLE 합의와의 DSC</translation>
    </message>
    <message>
      <source>DSC, automatic and approved</source>
      <translation>DSC, 자동과 승인</translation>
    </message>
    <message>
      <source>Dark or light</source>
      <translation>어두운/밝은 테마</translation>
    </message>
    <message>
      <source>Data</source>
      <translation>데이터</translation>
    </message>
    <message>
      <source>Delete</source>
      <translation>삭제</translation>
    </message>
    <message>
      <source>Delete above</source>
      <translation>위쪽 모두 삭제</translation>
    </message>
    <message>
      <source>Delete below</source>
      <translation>아래쪽 모두 삭제</translation>
    </message>
    <message>
      <source>Delete in range</source>
      <translation>범위에서 삭제</translation>
    </message>
    <message>
      <source>Delete it on every slice towards the feet</source>
      <translation>발 쪽의 모든 슬라이스에서 삭제합니다</translation>
    </message>
    <message>
      <source>Delete it on every slice towards the head</source>
      <translation>머리 쪽의 모든 슬라이스에서 삭제합니다</translation>
    </message>
    <message>
      <source>Delete on slice</source>
      <translation>이 슬라이스에서 삭제</translation>
    </message>
    <message>
      <source>Delete structure</source>
      <translation>구조물 삭제</translation>
    </message>
    <message>
      <source>Delete the structure on the slices of the range</source>
      <translation>범위의 슬라이스에서 구조물을 삭제합니다</translation>
    </message>
    <message>
      <source>Delete the structure on this slice</source>
      <translation>이 슬라이스에서 구조물을 삭제합니다</translation>
    </message>
    <message>
      <source>Delete {name}</source>
      <translation>{name} 삭제</translation>
    </message>
    <message>
      <source>Dice on the patches; step {step}</source>
      <translation>패치의 Dice, {step}단계</translation>
    </message>
    <message>
      <source>Dice similarity coefficient, as `autocontour evaluate` computes it; ≈ until then, from the outlines</source>
      <translation>Dice 유사도 계수 (`autocontour evaluate`와 같은 계산). ≈ 표시는 계산 중 윤곽만으로 구한 값입니다</translation>
    </message>
    <message>
      <source>Differs on</source>
      <translation>차이 있음</translation>
    </message>
    <message>
      <source>Dismiss</source>
      <translation>닫기</translation>
    </message>
    <message>
      <source>Distance inside the surface</source>
      <translation>표면에서 안쪽으로의 거리</translation>
    </message>
    <message>
      <source>Distance of centroids, mm</source>
      <translation>무게중심 거리, mm</translation>
    </message>
    <message>
      <source>Distances in mm and added path length, median (quartiles; 5th percentile, 95th percentile)</source>
      <translation>거리(mm)와 추가 경로 길이, 중앙값(사분위수; 5 및 95 백분위수)</translation>
    </message>
    <message>
      <source>Done</source>
      <translation>완료</translation>
    </message>
    <message>
      <source>Done.</source>
      <translation>완료되었습니다.</translation>
    </message>
    <message>
      <source>Dose, method − reference (at the voxels of the CT; structures wholly inside the dose grid)</source>
      <translation>선량 차이, 방법 − 기준 (CT 복셀 위치; 선량 격자 안에 완전히 들어 있는 구조물)</translation>
    </message>
    <message>
      <source>Double click</source>
      <translation>더블 클릭</translation>
    </message>
    <message>
      <source>Down</source>
      <translation>아래로</translation>
    </message>
    <message>
      <source>Drag single points; Shift removes a point</source>
      <translation>점을 하나씩 끕니다. Shift는 점을 제거합니다</translation>
    </message>
    <message>
      <source>Draw</source>
      <translation>그리기</translation>
    </message>
    <message>
      <source>Draw a structure first: a target is made from others.</source>
      <translation>먼저 구조물을 그리세요. 표적은 다른 구조물로 만듭니다.</translation>
    </message>
    <message>
      <source>Draw again automatically</source>
      <translation>자동으로 다시 그리기</translation>
    </message>
    <message>
      <source>Draw around the area to add; Shift removes it</source>
      <translation>추가할 영역을 둘러 그립니다. Shift는 제거합니다</translation>
    </message>
    <message>
      <source>Draw the organs automatically</source>
      <translation>장기를 자동으로 그립니다</translation>
    </message>
    <message>
      <source>Draw the slices between those that are drawn, in the range if one is chosen</source>
      <translation>그려진 슬라이스 사이를 그립니다. 범위를 골랐으면 그 범위만 그립니다</translation>
    </message>
    <message>
      <source>Draw the structure on two slices or more, then interpolate between them.</source>
      <translation>두 개 이상의 슬라이스에 먼저 그린 다음 보간하세요.</translation>
    </message>
    <message>
      <source>Draw this structure from nothing, as you would contour it for a plan.</source>
      <translation>이 구조물을 처음부터 직접 그리십시오. 실제 계획에 쓸 윤곽과 같은 기준입니다.</translation>
    </message>
    <message>
      <source>Draw what lies in a range of HU, inside a structure or a box</source>
      <translation>구조물이나 상자 안에서 HU 범위에 드는 부분을 그립니다</translation>
    </message>
    <message>
      <source>Draw {name} on two slices or more: the others follow them.</source>
      <translation>{name}을(를) 두 단면 이상에 그리십시오. 다른 단면이 이를 따라갑니다.</translation>
    </message>
    <message>
      <source>Drawing the picture</source>
      <translation>그림 생성 중</translation>
    </message>
    <message>
      <source>Drawn by</source>
      <translation>그리는 방법</translation>
    </message>
    <message>
      <source>Drawn by {name}</source>
      <translation>작성: {name}</translation>
    </message>
    <message>
      <source>Drawn from nothing</source>
      <translation>처음부터 그린 윤곽</translation>
    </message>
    <message>
      <source>Drawn without a reference</source>
      <translation>기준이 없는 구조물</translation>
    </message>
    <message>
      <source>Drop a folder with a planning CT here, or open one.</source>
      <translation>치료계획 CT 폴더를 여기에 끌어다 놓거나 여세요.</translation>
    </message>
    <message>
      <source>Duplicate</source>
      <translation>복제</translation>
    </message>
    <message>
      <source>Edit</source>
      <translation>편집</translation>
    </message>
    <message>
      <source>Edited</source>
      <translation>수정</translation>
    </message>
    <message>
      <source>End range here</source>
      <translation>범위 끝</translation>
    </message>
    <message>
      <source>End the range on this slice</source>
      <translation>이 슬라이스에서 범위를 끝냅니다</translation>
    </message>
    <message>
      <source>Ends at drawn</source>
      <translation>그린 단면에서 끝남</translation>
    </message>
    <message>
      <source>Enlarge a view</source>
      <translation>화면 크게 보기</translation>
    </message>
    <message>
      <source>Erase; Shift adds</source>
      <translation>지웁니다. Shift는 추가합니다</translation>
    </message>
    <message>
      <source>Eraser</source>
      <translation>지우개</translation>
    </message>
    <message>
      <source>Every slice</source>
      <translation>모든 슬라이스</translation>
    </message>
    <message>
      <source>Every structure is approved.</source>
      <translation>모든 구조물이 승인되었습니다.</translation>
    </message>
    <message>
      <source>Everything that can be drawn</source>
      <translation>그릴 수 있는 모든 구조물</translation>
    </message>
    <message>
      <source>Expand or shrink it in six directions</source>
      <translation>여섯 방향으로 넓히거나 줄입니다</translation>
    </message>
    <message>
      <source>Expand or shrink the outlines of the range within their slices</source>
      <translation>범위의 윤곽을 각 슬라이스 안에서 확장하거나 축소합니다</translation>
    </message>
    <message>
      <source>Expand {name}; negative values shrink it.</source>
      <translation>{name} 윤곽을 넓힙니다. 음수는 줄입니다.</translation>
    </message>
    <message>
      <source>Export</source>
      <translation>내보내기</translation>
    </message>
    <message>
      <source>Export anyway</source>
      <translation>그래도 내보내기</translation>
    </message>
    <message>
      <source>Export problems</source>
      <translation>내보내기 문제</translation>
    </message>
    <message>
      <source>Export structure set</source>
      <translation>구조물 세트 내보내기</translation>
    </message>
    <message>
      <source>Exported</source>
      <translation>내보냄</translation>
    </message>
    <message>
      <source>Export…</source>
      <translation>내보내기…</translation>
    </message>
    <message>
      <source>Fat</source>
      <translation>지방</translation>
    </message>
    <message>
      <source>File</source>
      <translation>파일</translation>
    </message>
    <message>
      <source>Fill</source>
      <translation>채우기</translation>
    </message>
    <message>
      <source>Fill holes</source>
      <translation>구멍 메우기</translation>
    </message>
    <message>
      <source>Fill opacity</source>
      <translation>채우기 불투명도</translation>
    </message>
    <message>
      <source>Fill the holes on every slice</source>
      <translation>모든 슬라이스의 구멍을 메웁니다</translation>
    </message>
    <message>
      <source>Fill the region like the clicked point; drag: size, [ ]: HU range, Shift: remove, Ctrl: all slices</source>
      <translation>클릭한 점과 비슷한 영역을 채웁니다. 끌기: 크기, [ ]: HU 범위, Shift: 제거, Ctrl: 모든 슬라이스</translation>
    </message>
    <message>
      <source>Filter the cases</source>
      <translation>케이스 필터</translation>
    </message>
    <message>
      <source>Filter: ID, name, date, state</source>
      <translation>필터: ID, 이름, 날짜, 상태</translation>
    </message>
    <message>
      <source>Find a structure</source>
      <translation>구조물 찾기</translation>
    </message>
    <message>
      <source>Finish</source>
      <translation>완료</translation>
    </message>
    <message>
      <source>Finish the stroke first.</source>
      <translation>먼저 그리기를 끝내세요.</translation>
    </message>
    <message>
      <source>Finished?</source>
      <translation>완료하시겠습니까?</translation>
    </message>
    <message>
      <source>First</source>
      <translation>첫째 구조물</translation>
    </message>
    <message>
      <source>First view again</source>
      <translation>처음 화면으로</translation>
    </message>
    <message>
      <source>Fit views</source>
      <translation>화면에 맞추기</translation>
    </message>
    <message>
      <source>Five slices down</source>
      <translation>5슬라이스 아래로</translation>
    </message>
    <message>
      <source>Five slices towards the feet</source>
      <translation>발 쪽으로 5슬라이스</translation>
    </message>
    <message>
      <source>Five slices towards the head</source>
      <translation>머리 쪽으로 5슬라이스</translation>
    </message>
    <message>
      <source>Five slices up</source>
      <translation>5슬라이스 위로</translation>
    </message>
    <message>
      <source>Fix</source>
      <translation>수정</translation>
    </message>
    <message>
      <source>Fix all fixable problems</source>
      <translation>고칠 수 있는 문제 모두 수정</translation>
    </message>
    <message>
      <source>Fix for export</source>
      <translation>내보내기용 수정</translation>
    </message>
    <message>
      <source>Fix {name}</source>
      <translation>{name} 수정</translation>
    </message>
    <message>
      <source>Fleiss' kappa</source>
      <translation>Fleiss 카파</translation>
    </message>
    <message>
      <source>Flood</source>
      <translation>영역 확장</translation>
    </message>
    <message>
      <source>Follow corrected slices</source>
      <translation>수정한 단면 따라가기</translation>
    </message>
    <message>
      <source>Follow, and end at the outermost</source>
      <translation>따라가기(가장 바깥 단면에서 끝남)</translation>
    </message>
    <message>
      <source>Following corrected slices is off: choose On demand or Always in the menu Slices.</source>
      <translation>수정한 단면 따라가기가 꺼져 있습니다. 단면 메뉴에서 요청 시 또는 항상을 선택하십시오.</translation>
    </message>
    <message>
      <source>For</source>
      <translation>대상</translation>
    </message>
    <message>
      <source>Freehand</source>
      <translation>자유곡선</translation>
    </message>
    <message>
      <source>From</source>
      <translation>하한</translation>
    </message>
    <message>
      <source>From here down</source>
      <translation>여기부터 아래로</translation>
    </message>
    <message>
      <source>From here up</source>
      <translation>여기부터 위로</translation>
    </message>
    <message>
      <source>Gap</source>
      <translation>간격</translation>
    </message>
    <message>
      <source>Gas</source>
      <translation>가스</translation>
    </message>
    <message>
      <source>Go down to the next slice that a finding points at</source>
      <translation>지적 사항이 있는 아래쪽 슬라이스로 갑니다</translation>
    </message>
    <message>
      <source>Go to structure</source>
      <translation>구조물로 이동</translation>
    </message>
    <message>
      <source>Go to the structure that most needs review</source>
      <translation>가장 먼저 검토할 구조물로 갑니다</translation>
    </message>
    <message>
      <source>Go to what most needs review</source>
      <translation>가장 먼저 검토할 곳으로 갑니다</translation>
    </message>
    <message>
      <source>Go up to the next slice that a finding points at</source>
      <translation>지적 사항이 있는 위쪽 슬라이스로 갑니다</translation>
    </message>
    <message>
      <source>HD</source>
      <translation>HD</translation>
    </message>
    <message>
      <source>HD, mm</source>
      <translation>HD, mm</translation>
    </message>
    <message>
      <source>HD95</source>
      <translation>HD95</translation>
    </message>
    <message>
      <source>HD95 median</source>
      <translation>HD95 중앙값</translation>
    </message>
    <message>
      <source>HD95, mm</source>
      <translation>HD95, mm</translation>
    </message>
    <message>
      <source>Head and neck</source>
      <translation>두경부</translation>
    </message>
    <message>
      <source>Help</source>
      <translation>도움말</translation>
    </message>
    <message>
      <source>Here the compared outlines differ.</source>
      <translation>비교하는 윤곽이 여기서 다릅니다.</translation>
    </message>
    <message>
      <source>Hide or show structure</source>
      <translation>구조물 숨기기/보이기</translation>
    </message>
    <message>
      <source>Hide the selected structure</source>
      <translation>선택한 구조물을 숨깁니다</translation>
    </message>
    <message>
      <source>How strongly structures are filled</source>
      <translation>구조물 안쪽을 채우는 정도</translation>
    </message>
    <message>
      <source>Human</source>
      <translation>사람</translation>
    </message>
    <message>
      <source>Human or machine? Manual and automatic contours (95 % intervals)</source>
      <translation>사람인가 기계인가? 수동 및 자동 윤곽 (95 % 구간)</translation>
    </message>
    <message>
      <source>I may use it under this licence</source>
      <translation>이 라이선스에 따라 사용할 수 있습니다</translation>
    </message>
    <message>
      <source>ICC</source>
      <translation>ICC</translation>
    </message>
    <message>
      <source>Image artefact</source>
      <translation>영상 인공물</translation>
    </message>
    <message>
      <source>Import a folder…</source>
      <translation>폴더 가져오기…</translation>
    </message>
    <message>
      <source>Import a published model</source>
      <translation>공개 모델 가져오기</translation>
    </message>
    <message>
      <source>Import a zip…</source>
      <translation>zip 가져오기…</translation>
    </message>
    <message>
      <source>In a window of its own</source>
      <translation>별도 창으로 보기</translation>
    </message>
    <message>
      <source>In the plane of each slice only: nothing is added above or below.</source>
      <translation>각 슬라이스의 평면 안에서만 적용하며 위아래에는 추가하지 않습니다.</translation>
    </message>
    <message>
      <source>Inferior</source>
      <translation>아래 (Inf)</translation>
    </message>
    <message>
      <source>Inferior (I)</source>
      <translation>발쪽 (I)</translation>
    </message>
    <message>
      <source>Inside</source>
      <translation>안쪽</translation>
    </message>
    <message>
      <source>Inside {name}</source>
      <translation>{name} 안쪽</translation>
    </message>
    <message>
      <source>Install</source>
      <translation>설치</translation>
    </message>
    <message>
      <source>Interpolate</source>
      <translation>보간</translation>
    </message>
    <message>
      <source>Interpolate in range</source>
      <translation>범위에서 보간</translation>
    </message>
    <message>
      <source>Intraclass correlation ICC(2,1) of volumes</source>
      <translation>부피의 급내상관계수 ICC(2,1)</translation>
    </message>
    <message>
      <source>It belongs to another patient or series: {patient}</source>
      <translation>다른 환자 또는 다른 시리즈의 파일입니다: {patient}</translation>
    </message>
    <message>
      <source>It belongs to this patient and series: {patient}</source>
      <translation>이 환자와 시리즈의 파일입니다: {patient}</translation>
    </message>
    <message>
      <source>It draws structures where they cannot be: it cannot be installed with this orientation.</source>
      <translation>구조물을 있을 수 없는 곳에 그립니다. 이 방향으로는 설치할 수 없습니다.</translation>
    </message>
    <message>
      <source>It ends at the outermost drawn slices.</source>
      <translation>그려진 단면 중 가장 바깥 단면에서 끝납니다.</translation>
    </message>
    <message>
      <source>It has only structures of the midline: look at the picture, and confirm it with your name.</source>
      <translation>정중선 구조물만 있습니다. 그림을 살펴보고 이름을 적어 확인하세요.</translation>
    </message>
    <message>
      <source>It is another computer, and the CT may be sent there</source>
      <translation>다른 컴퓨터이며, CT를 그곳으로 전송해도 됩니다</translation>
    </message>
    <message>
      <source>It is drawn already; tick it to draw it again.</source>
      <translation>이미 그려져 있습니다. 다시 그리려면 선택하세요.</translation>
    </message>
    <message>
      <source>It is not a structure set that can be read.</source>
      <translation>읽을 수 있는 구조물 세트가 아닙니다.</translation>
    </message>
    <message>
      <source>It was edited by hand or comes from a file; ticked, its contours are replaced.</source>
      <translation>직접 편집했거나 파일에서 가져온 구조물입니다. 선택하면 윤곽이 바뀝니다.</translation>
    </message>
    <message>
      <source>Its approval ends.</source>
      <translation>승인이 취소됩니다.</translation>
    </message>
    <message>
      <source>Its files do not state how its images were oriented: choose the orientation above.</source>
      <translation>파일에 영상 방향이 적혀 있지 않습니다. 위에서 방향을 선택하십시오.</translation>
    </message>
    <message>
      <source>Its files state none: enter the licence you have it under</source>
      <translation>모델 파일에 없습니다. 사용 허가를 받은 라이선스를 입력하세요</translation>
    </message>
    <message>
      <source>Its model has this licence: {licence}. Use it?</source>
      <translation>서버 모델의 라이선스: {licence}. 사용하겠습니까?</translation>
    </message>
    <message>
      <source>Judge contours without knowing who or what drew them, in a window of its own</source>
      <translation>누가 또는 무엇이 그렸는지 모르는 상태로 별도 창에서 윤곽을 판정합니다</translation>
    </message>
    <message>
      <source>Keep</source>
      <translation>유지</translation>
    </message>
    <message>
      <source>Keep it inside or away from another structure</source>
      <translation>다른 구조물의 안쪽 또는 바깥쪽만 남깁니다</translation>
    </message>
    <message>
      <source>Keep largest piece</source>
      <translation>가장 큰 조각만 남기기</translation>
    </message>
    <message>
      <source>Keep these contours where several drawers drew the structure, and remove the others</source>
      <translation>여러 방법으로 그린 구조물에서 이 윤곽만 남기고 나머지를 삭제합니다</translation>
    </message>
    <message>
      <source>Keep this drawer</source>
      <translation>이 윤곽만 남기기</translation>
    </message>
    <message>
      <source>Keep what is inside</source>
      <translation>안쪽만 남기기</translation>
    </message>
    <message>
      <source>Keep what is outside</source>
      <translation>바깥쪽만 남기기</translation>
    </message>
    <message>
      <source>Keep {name}</source>
      <translation>{name} 남기기</translation>
    </message>
    <message>
      <source>Kept inside</source>
      <translation>안쪽으로 제한하는 구조물</translation>
    </message>
    <message>
      <source>Kernel</source>
      <translation>커널</translation>
    </message>
    <message>
      <source>Keys</source>
      <translation>단축키</translation>
    </message>
    <message>
      <source>LPS: indices grow to the left, back and head</source>
      <translation>LPS: 인덱스가 왼쪽, 뒤, 머리 쪽으로 증가</translation>
    </message>
    <message>
      <source>Label</source>
      <translation>라벨</translation>
    </message>
    <message>
      <source>Label of the model</source>
      <translation>모델의 라벨</translation>
    </message>
    <message>
      <source>Language</source>
      <translation>언어</translation>
    </message>
    <message>
      <source>Larger</source>
      <translation>크게</translation>
    </message>
    <message>
      <source>Largest gap</source>
      <translation>최대 간격</translation>
    </message>
    <message>
      <source>Last change</source>
      <translation>마지막 변경</translation>
    </message>
    <message>
      <source>Learn from approved cases</source>
      <translation>승인된 사례에서 학습</translation>
    </message>
    <message>
      <source>Learn from approved cases…</source>
      <translation>승인된 사례에서 학습…</translation>
    </message>
    <message>
      <source>Learning curves</source>
      <translation>학습 곡선</translation>
    </message>
    <message>
      <source>Leave out in 3D what lies above the axial slice, and show the slice there</source>
      <translation>3D에서 축상면 위쪽을 빼고 그 자리에 단면을 보여 줍니다</translation>
    </message>
    <message>
      <source>Left</source>
      <translation>왼쪽 (Lt)</translation>
    </message>
    <message>
      <source>Left (L)</source>
      <translation>왼쪽 (L)</translation>
    </message>
    <message>
      <source>Left and right</source>
      <translation>좌우</translation>
    </message>
    <message>
      <source>Left and right: checked on {date}, {how}</source>
      <translation>좌우: {date} 확인, {how}</translation>
    </message>
    <message>
      <source>Left is left on this CT.</source>
      <translation>이 CT에서 왼쪽이 왼쪽으로 그려집니다.</translation>
    </message>
    <message>
      <source>Left out</source>
      <translation>제외됨</translation>
    </message>
    <message>
      <source>Left out because the gap is too large: {gaps}.</source>
      <translation>간격이 너무 커서 제외: {gaps}.</translation>
    </message>
    <message>
      <source>Let every drawer draw, and keep all contours to compare them</source>
      <translation>모든 방법으로 그리고 윤곽을 모두 남겨 비교</translation>
    </message>
    <message>
      <source>Licence</source>
      <translation>라이선스</translation>
    </message>
    <message>
      <source>Licence: {licence}</source>
      <translation>라이선스: {licence}</translation>
    </message>
    <message>
      <source>Linked with {date}; the nearest slice is {mm:.1f} mm away.</source>
      <translation>{date}과(와) 연결됨. 가장 가까운 단면까지 {mm:.1f} mm.</translation>
    </message>
    <message>
      <source>List the model packages, import a published model, test it on this CT</source>
      <translation>모델 패키지 목록을 보고, 공개 모델을 가져와 이 CT로 시험합니다</translation>
    </message>
    <message>
      <source>Loading the scan…</source>
      <translation>영상을 불러오는 중…</translation>
    </message>
    <message>
      <source>Lock or unlock</source>
      <translation>잠금/잠금 해제</translation>
    </message>
    <message>
      <source>Lock {name}</source>
      <translation>{name} 잠금</translation>
    </message>
    <message>
      <source>Looking for models</source>
      <translation>모델 찾는 중</translation>
    </message>
    <message>
      <source>Looking for scans…</source>
      <translation>CT를 찾는 중…</translation>
    </message>
    <message>
      <source>Lung</source>
      <translation>폐</translation>
    </message>
    <message>
      <source>Machine</source>
      <translation>기계</translation>
    </message>
    <message>
      <source>Major</source>
      <translation>큰 수정</translation>
    </message>
    <message>
      <source>Make a PTV or another structure: margin, inside External, plus and minus others</source>
      <translation>PTV 등을 만듭니다: 마진, External 안쪽, 다른 구조물 더하기와 빼기</translation>
    </message>
    <message>
      <source>Make all structures again whose sources changed</source>
      <translation>원본이 바뀐 구조물을 모두 다시 만듭니다</translation>
    </message>
    <message>
      <source>Make it again by its recipe, after its sources changed</source>
      <translation>원본이 바뀐 뒤 레시피로 다시 만듭니다</translation>
    </message>
    <message>
      <source>Make the structure again by its recipe, after its sources changed</source>
      <translation>원본이 바뀐 뒤 구조물을 레시피로 다시 만듭니다</translation>
    </message>
    <message>
      <source>Make the tool larger</source>
      <translation>도구를 크게 합니다</translation>
    </message>
    <message>
      <source>Make the tool smaller</source>
      <translation>도구를 작게 합니다</translation>
    </message>
    <message>
      <source>Manual sets against each other</source>
      <translation>수동 세트 간 비교</translation>
    </message>
    <message>
      <source>Margin</source>
      <translation>마진</translation>
    </message>
    <message>
      <source>Margin in range</source>
      <translation>범위에 마진</translation>
    </message>
    <message>
      <source>Margin…</source>
      <translation>마진…</translation>
    </message>
    <message>
      <source>Mean surface distance, mm</source>
      <translation>평균 표면 거리, mm</translation>
    </message>
    <message>
      <source>Measure</source>
      <translation>측정값</translation>
    </message>
    <message>
      <source>Measure a distance</source>
      <translation>거리를 잽니다</translation>
    </message>
    <message>
      <source>Measured here</source>
      <translation>여기서 측정</translation>
    </message>
    <message>
      <source>Mediastinum</source>
      <translation>종격동</translation>
    </message>
    <message>
      <source>Message</source>
      <translation>알림</translation>
    </message>
    <message>
      <source>Metal</source>
      <translation>금속</translation>
    </message>
    <message>
      <source>Methods beside the observers: inside if the mean DSC with the manual sets is at least the lowest DSC of two manual sets in the same patient</source>
      <translation>관찰자와 비교한 방법: 수동 세트와의 평균 DSC가 같은 환자의 두 수동 세트 간 최저 DSC 이상이면 범위 안</translation>
    </message>
    <message>
      <source>Metric</source>
      <translation>지표</translation>
    </message>
    <message>
      <source>Middle drag</source>
      <translation>가운데 버튼 드래그</translation>
    </message>
    <message>
      <source>Middle slice</source>
      <translation>중앙 슬라이스</translation>
    </message>
    <message>
      <source>Minor</source>
      <translation>경미한 수정</translation>
    </message>
    <message>
      <source>Minus</source>
      <translation>빼기</translation>
    </message>
    <message>
      <source>Minutes per structure</source>
      <translation>구조물별 시간(분)</translation>
    </message>
    <message>
      <source>Model</source>
      <translation>모델</translation>
    </message>
    <message>
      <source>Model package</source>
      <translation>모델 패키지</translation>
    </message>
    <message>
      <source>Model packages</source>
      <translation>모델 패키지</translation>
    </message>
    <message>
      <source>Models</source>
      <translation>모델</translation>
    </message>
    <message>
      <source>Models…</source>
      <translation>모델…</translation>
    </message>
    <message>
      <source>More</source>
      <translation>더 보기</translation>
    </message>
    <message>
      <source>Mouse</source>
      <translation>마우스</translation>
    </message>
    <message>
      <source>Move</source>
      <translation>이동</translation>
    </message>
    <message>
      <source>Move or rotate</source>
      <translation>이동 또는 회전</translation>
    </message>
    <message>
      <source>Move or rotate…</source>
      <translation>이동 또는 회전…</translation>
    </message>
    <message>
      <source>Move the crosshair; a click on an outline selects it</source>
      <translation>십자선을 옮깁니다. 윤곽을 클릭하면 선택됩니다</translation>
    </message>
    <message>
      <source>Movement</source>
      <translation>이동</translation>
    </message>
    <message>
      <source>My use is non-commercial, as the licence demands</source>
      <translation>라이선스가 요구하는 대로 비상업적으로 사용합니다</translation>
    </message>
    <message>
      <source>Name</source>
      <translation>이름</translation>
    </message>
    <message>
      <source>Name, such as Heart or PTV_High</source>
      <translation>이름 (예: Heart, PTV_High)</translation>
    </message>
    <message>
      <source>Names</source>
      <translation>이름</translation>
    </message>
    <message>
      <source>Navigate</source>
      <translation>탐색</translation>
    </message>
    <message>
      <source>New cases</source>
      <translation>새 사례</translation>
    </message>
    <message>
      <source>New cases for a retraining:</source>
      <translation>재학습에 필요한 새 사례 수:</translation>
    </message>
    <message>
      <source>Next</source>
      <translation>다음</translation>
    </message>
    <message>
      <source>Next marked slice</source>
      <translation>다음 표시 슬라이스</translation>
    </message>
    <message>
      <source>Next to review</source>
      <translation>다음 검토</translation>
    </message>
    <message>
      <source>Next window preset</source>
      <translation>다음 윈도우 프리셋</translation>
    </message>
    <message>
      <source>No</source>
      <translation>아니요</translation>
    </message>
    <message>
      <source>No course is open.</source>
      <translation>열린 코스가 없습니다.</translation>
    </message>
    <message>
      <source>No finding points at a slice.</source>
      <translation>슬라이스를 가리키는 지적 사항이 없습니다.</translation>
    </message>
    <message>
      <source>No month after the baseline yet.</source>
      <translation>아직 기준 기간 이후의 달이 없습니다.</translation>
    </message>
    <message>
      <source>No name</source>
      <translation>이름 없음</translation>
    </message>
    <message>
      <source>No patient open</source>
      <translation>열린 환자 없음</translation>
    </message>
    <message>
      <source>No report yet</source>
      <translation>아직 기록이 없습니다</translation>
    </message>
    <message>
      <source>No rule and no installed package draws it; draw it by hand.</source>
      <translation>그릴 수 있는 규칙이나 설치된 패키지가 없습니다. 직접 그리세요.</translation>
    </message>
    <message>
      <source>No slice would change there.</source>
      <translation>그 범위에는 바뀔 단면이 없습니다.</translation>
    </message>
    <message>
      <source>No structure is selected</source>
      <translation>선택한 구조물 없음</translation>
    </message>
    <message>
      <source>No structure was viewed that is not approved yet.</source>
      <translation>확인했지만 아직 승인하지 않은 구조물이 없습니다.</translation>
    </message>
    <message>
      <source>No values of this structure</source>
      <translation>이 구조물의 값이 없습니다</translation>
    </message>
    <message>
      <source>Non-inferiority of the DSC</source>
      <translation>DSC의 비열등성</translation>
    </message>
    <message>
      <source>None</source>
      <translation>모두 해제</translation>
    </message>
    <message>
      <source>Not approved</source>
      <translation>승인하지 않음</translation>
    </message>
    <message>
      <source>Not bridged, parts without a counterpart: {gaps}.</source>
      <translation>맞은편에 대응하는 부분이 없어 잇지 않음: {gaps}.</translation>
    </message>
    <message>
      <source>Not changed</source>
      <translation>변경하지 않음</translation>
    </message>
    <message>
      <source>Not compared</source>
      <translation>비교하지 않음</translation>
    </message>
    <message>
      <source>Not found: {names}.</source>
      <translation>찾지 못함: {names}.</translation>
    </message>
    <message>
      <source>Not linked: the CT in the main window is not a contoured CT of this course.</source>
      <translation>연결되지 않음: 주 창의 CT는 이 코스에서 윤곽이 그려진 CT가 아닙니다.</translation>
    </message>
    <message>
      <source>Not needed</source>
      <translation>필요하지 않음</translation>
    </message>
    <message>
      <source>Not now</source>
      <translation>나중에</translation>
    </message>
    <message>
      <source>Not offered by a method</source>
      <translation>방법이 제공하지 않는 구조물</translation>
    </message>
    <message>
      <source>Not passed:</source>
      <translation>통과하지 못함:</translation>
    </message>
    <message>
      <source>Not rejected</source>
      <translation>반려하지 않음</translation>
    </message>
    <message>
      <source>Not used</source>
      <translation>사용하지 않음</translation>
    </message>
    <message>
      <source>Not yet viewed, or with findings not yet viewed: {names}</source>
      <translation>미확인 구조물 또는 지적 사항이 미확인인 구조물: {names}</translation>
    </message>
    <message>
      <source>Nothing is drawn yet.</source>
      <translation>아직 그린 윤곽이 없습니다.</translation>
    </message>
    <message>
      <source>Nothing is lost: the changes are kept and return when the scan is opened</source>
      <translation>아무것도 버리지 않습니다. 이 CT를 다시 열면 변경 내용이 그대로 있습니다</translation>
    </message>
    <message>
      <source>Nothing of the model is executed. It is installed once it is shown that its left is the patient's.</source>
      <translation>모델의 코드는 실행되지 않습니다. 모델의 왼쪽이 환자의 왼쪽임이 확인되어야 설치됩니다.</translation>
    </message>
    <message>
      <source>Nothing to redo</source>
      <translation>다시 실행할 것이 없습니다</translation>
    </message>
    <message>
      <source>Nothing to undo</source>
      <translation>취소할 것이 없습니다</translation>
    </message>
    <message>
      <source>Nothing was found for these clicks.</source>
      <translation>이 클릭으로는 찾은 것이 없습니다.</translation>
    </message>
    <message>
      <source>Nothing was found in this range.</source>
      <translation>그곳에는 이 범위에 드는 것이 없습니다.</translation>
    </message>
    <message>
      <source>Nothing would change</source>
      <translation>변경되는 것이 없습니다</translation>
    </message>
    <message>
      <source>Off</source>
      <translation>끄기</translation>
    </message>
    <message>
      <source>Off by default: its accuracy is below the limit, or it is for research. Check every slice of it.</source>
      <translation>기본으로 꺼져 있습니다. 정확도가 기준보다 낮거나 연구용입니다. 모든 슬라이스를 확인하세요.</translation>
    </message>
    <message>
      <source>On</source>
      <translation>적용 범위</translation>
    </message>
    <message>
      <source>On demand</source>
      <translation>요청 시</translation>
    </message>
    <message>
      <source>On this slice both are the same.</source>
      <translation>이 단면에서는 둘이 같습니다.</translation>
    </message>
    <message>
      <source>On this slice keep only the largest piece</source>
      <translation>이 슬라이스에서 가장 큰 조각만 남깁니다</translation>
    </message>
    <message>
      <source>One slice towards the feet</source>
      <translation>발 쪽으로 한 슬라이스</translation>
    </message>
    <message>
      <source>One slice towards the head</source>
      <translation>머리 쪽으로 한 슬라이스</translation>
    </message>
    <message>
      <source>One view stays in the main window.</source>
      <translation>주 창에는 화면이 하나 남아 있어야 합니다.</translation>
    </message>
    <message>
      <source>Only approved structures</source>
      <translation>승인된 구조물만</translation>
    </message>
    <message>
      <source>Only cases with all of these words; Up and Down choose one, Return opens it</source>
      <translation>이 단어가 모두 있는 케이스만 표시합니다. 위아래 키로 고르고 Enter로 엽니다</translation>
    </message>
    <message>
      <source>Only in the range of slices.</source>
      <translation>고른 슬라이스 범위만 보간했습니다.</translation>
    </message>
    <message>
      <source>Only the region connected to the crosshair</source>
      <translation>십자선과 이어진 부분만</translation>
    </message>
    <message>
      <source>Only the task before can be answered again.</source>
      <translation>바로 앞 항목만 다시 답할 수 있습니다.</translation>
    </message>
    <message>
      <source>Open</source>
      <translation>열기</translation>
    </message>
    <message>
      <source>Open a CT first: a model is tested on it.</source>
      <translation>먼저 CT를 여세요. 모델을 그 CT로 시험합니다.</translation>
    </message>
    <message>
      <source>Open a CT folder</source>
      <translation>CT 폴더 열기</translation>
    </message>
    <message>
      <source>Open a CT folder…</source>
      <translation>CT 폴더 열기…</translation>
    </message>
    <message>
      <source>Open a course</source>
      <translation>코스 열기</translation>
    </message>
    <message>
      <source>Open a folder with a CT</source>
      <translation>CT가 있는 폴더를 엽니다</translation>
    </message>
    <message>
      <source>Open a structure set</source>
      <translation>구조물 세트 열기</translation>
    </message>
    <message>
      <source>Open anyway; every slice keeps its true position, and the exported file records it</source>
      <translation>그래도 엽니다. 슬라이스는 실제 위치를 유지하며, 이 사실이 파일에 기록됩니다</translation>
    </message>
    <message>
      <source>Open in the main window</source>
      <translation>주 창에서 열기</translation>
    </message>
    <message>
      <source>Open results…</source>
      <translation>결과 열기…</translation>
    </message>
    <message>
      <source>Open structure set</source>
      <translation>구조물 세트 열기</translation>
    </message>
    <message>
      <source>Open structure set…</source>
      <translation>구조물 세트 열기…</translation>
    </message>
    <message>
      <source>Open the folder of a blind review</source>
      <translation>블라인드 검토 폴더 열기</translation>
    </message>
    <message>
      <source>Open the folder of a report</source>
      <translation>보고서 폴더 열기</translation>
    </message>
    <message>
      <source>Open {name}</source>
      <translation>{name} 열기</translation>
    </message>
    <message>
      <source>Opening {patient}…</source>
      <translation>{patient}을(를) 여는 중…</translation>
    </message>
    <message>
      <source>Open…</source>
      <translation>열기…</translation>
    </message>
    <message>
      <source>Order of drawing: rules, packages of this program, then published models, the finer grid first.</source>
      <translation>그리는 순서: 규칙, 이 프로그램의 패키지, 공개 모델(격자가 촘촘한 것부터).</translation>
    </message>
    <message>
      <source>Orientation</source>
      <translation>방향</translation>
    </message>
    <message>
      <source>Orientation of the training images</source>
      <translation>학습 영상의 방향</translation>
    </message>
    <message>
      <source>Origin from the form of the shown outlines: area under the ROC curve, manual against automatic (0.5: nothing, 1: everything)</source>
      <translation>표시된 윤곽선의 형태로 알 수 있는 출처: ROC 곡선 아래 면적, 수동 대 자동 (0.5: 전혀 모름, 1: 완전히 구분)</translation>
    </message>
    <message>
      <source>Other slices follow corrections</source>
      <translation>다른 단면이 수정을 따라감</translation>
    </message>
    <message>
      <source>Overlaps another structure</source>
      <translation>다른 구조물과 겹침</translation>
    </message>
    <message>
      <source>Package</source>
      <translation>패키지</translation>
    </message>
    <message>
      <source>Paint only voxels similar to where the stroke begins</source>
      <translation>시작점과 비슷한 복셀만 칠합니다</translation>
    </message>
    <message>
      <source>Paint, with a ball in the side views; Shift erases; Shift+wheel or [ ] set the size</source>
      <translation>칠합니다. 옆 보기에서는 공 모양입니다. Shift는 지우고, Shift+휠 또는 [ ]는 크기를 바꿉니다</translation>
    </message>
    <message>
      <source>Paired tests</source>
      <translation>짝지은 검정</translation>
    </message>
    <message>
      <source>Pan</source>
      <translation>화면 이동</translation>
    </message>
    <message>
      <source>Patient</source>
      <translation>환자</translation>
    </message>
    <message>
      <source>Patient ID</source>
      <translation>환자 ID</translation>
    </message>
    <message>
      <source>Patients</source>
      <translation>환자</translation>
    </message>
    <message>
      <source>Patients, the worst first</source>
      <translation>환자(나쁜 결과부터)</translation>
    </message>
    <message>
      <source>Pause</source>
      <translation>일시 중지</translation>
    </message>
    <message>
      <source>Picture of what the model drew</source>
      <translation>모델이 그린 결과 그림</translation>
    </message>
    <message>
      <source>Plane</source>
      <translation>단면 방향</translation>
    </message>
    <message>
      <source>Planning CT, {date}</source>
      <translation>계획 CT, {date}</translation>
    </message>
    <message>
      <source>Planning system</source>
      <translation>치료계획 시스템</translation>
    </message>
    <message>
      <source>Plus</source>
      <translation>더하기</translation>
    </message>
    <message>
      <source>Points</source>
      <translation>점 편집</translation>
    </message>
    <message>
      <source>Posterior</source>
      <translation>뒤 (Post)</translation>
    </message>
    <message>
      <source>Posterior (P)</source>
      <translation>뒤쪽 (P)</translation>
    </message>
    <message>
      <source>Previous marked slice</source>
      <translation>이전 표시 슬라이스</translation>
    </message>
    <message>
      <source>Problem</source>
      <translation>문제</translation>
    </message>
    <message>
      <source>Profile</source>
      <translation>프로필</translation>
    </message>
    <message>
      <source>Progress of the computation</source>
      <translation>계산 진행률</translation>
    </message>
    <message>
      <source>Progress of the preview</source>
      <translation>미리보기 계산 진행률</translation>
    </message>
    <message>
      <source>Progress of the test</source>
      <translation>시험 진행 상황</translation>
    </message>
    <message>
      <source>Propagated from the planning CT</source>
      <translation>계획 CT에서 전파</translation>
    </message>
    <message>
      <source>Proposal for other slices</source>
      <translation>다른 단면에 대한 제안</translation>
    </message>
    <message>
      <source>Proposal for {name}:</source>
      <translation>{name} 제안:</translation>
    </message>
    <message>
      <source>Proposed: slice {slice} moves by {far} mm.</source>
      <translation>제안: {slice}번 단면이 {far} mm 움직입니다.</translation>
    </message>
    <message>
      <source>Protect it from changes</source>
      <translation>변경되지 않게 보호합니다</translation>
    </message>
    <message>
      <source>Push</source>
      <translation>밀기</translation>
    </message>
    <message>
      <source>Push the outline with a disc</source>
      <translation>원으로 윤곽을 밉니다</translation>
    </message>
    <message>
      <source>QA room</source>
      <translation>QA 룸</translation>
    </message>
    <message>
      <source>Qt (processor)</source>
      <translation>Qt (CPU)</translation>
    </message>
    <message>
      <source>Questions</source>
      <translation>질문</translation>
    </message>
    <message>
      <source>Quit</source>
      <translation>끝내기</translation>
    </message>
    <message>
      <source>RAS: indices grow to the right, front and head</source>
      <translation>RAS: 인덱스가 오른쪽, 앞, 머리 쪽으로 증가</translation>
    </message>
    <message>
      <source>RECENT</source>
      <translation>최근 항목</translation>
    </message>
    <message>
      <source>RT ROI Interpreted Type</source>
      <translation>RT ROI Interpreted Type</translation>
    </message>
    <message>
      <source>Range</source>
      <translation>범위</translation>
    </message>
    <message>
      <source>Range from here down</source>
      <translation>여기서 아래로 범위</translation>
    </message>
    <message>
      <source>Range from here up</source>
      <translation>여기서 위로 범위</translation>
    </message>
    <message>
      <source>Range {first}–{last}</source>
      <translation>범위 {first}–{last}</translation>
    </message>
    <message>
      <source>Range, on the slice slider</source>
      <translation>범위 (슬라이스 막대에서)</translation>
    </message>
    <message>
      <source>Range: slice {first}</source>
      <translation>범위: {first}번 슬라이스</translation>
    </message>
    <message>
      <source>Range: slices {first}–{last}  ({count} slices, {length} mm)</source>
      <translation>범위: {first}–{last}번 슬라이스  ({count}장, {length} mm)</translation>
    </message>
    <message>
      <source>Read. Agree to the licence, then test it.</source>
      <translation>읽었습니다. 라이선스에 동의한 뒤 시험하세요.</translation>
    </message>
    <message>
      <source>Reading the model</source>
      <translation>모델 읽는 중</translation>
    </message>
    <message>
      <source>Reading…</source>
      <translation>읽는 중…</translation>
    </message>
    <message>
      <source>Reason</source>
      <translation>이유</translation>
    </message>
    <message>
      <source>Reason for using it although it has not passed</source>
      <translation>통과하지 못했는데도 사용하는 이유</translation>
    </message>
    <message>
      <source>Recent folders</source>
      <translation>최근 폴더</translation>
    </message>
    <message>
      <source>Recipe of {name}</source>
      <translation>레시피: {name}</translation>
    </message>
    <message>
      <source>Recipes that wait for their sources, or leave nothing: {names}.</source>
      <translation>원본을 기다리거나 결과가 비는 레시피: {names}.</translation>
    </message>
    <message>
      <source>Redo</source>
      <translation>다시 실행</translation>
    </message>
    <message>
      <source>Redo the next step</source>
      <translation>취소한 단계를 다시 실행합니다</translation>
    </message>
    <message>
      <source>Redo {step}</source>
      <translation>다시 실행({step})</translation>
    </message>
    <message>
      <source>Redone: {step}</source>
      <translation>다시 실행: {step}</translation>
    </message>
    <message>
      <source>References</source>
      <translation>참고 문헌</translation>
    </message>
    <message>
      <source>Refresh</source>
      <translation>갱신</translation>
    </message>
    <message>
      <source>Refresh all</source>
      <translation>모두 갱신</translation>
    </message>
    <message>
      <source>Refresh all ({count})</source>
      <translation>모두 갱신 ({count})</translation>
    </message>
    <message>
      <source>Refresh targets</source>
      <translation>표적 갱신</translation>
    </message>
    <message>
      <source>Refresh {name}</source>
      <translation>갱신: {name}</translation>
    </message>
    <message>
      <source>Refusal</source>
      <translation>거부</translation>
    </message>
    <message>
      <source>Reject</source>
      <translation>반려</translation>
    </message>
    <message>
      <source>Reject the structure with a reason, or withdraw the rejection</source>
      <translation>이유를 적어 구조물을 반려하거나 반려를 취소합니다</translation>
    </message>
    <message>
      <source>Reject {name}</source>
      <translation>{name} 반려</translation>
    </message>
    <message>
      <source>Rejected</source>
      <translation>반려</translation>
    </message>
    <message>
      <source>Rejected by</source>
      <translation>반려한 사람</translation>
    </message>
    <message>
      <source>Rejected: {names}</source>
      <translation>반려됨: {names}</translation>
    </message>
    <message>
      <source>Reject…</source>
      <translation>반려…</translation>
    </message>
    <message>
      <source>Remarks</source>
      <translation>참고 사항</translation>
    </message>
    <message>
      <source>Remove</source>
      <translation>제거</translation>
    </message>
    <message>
      <source>Remove from {name}</source>
      <translation>{name}에서 빼기</translation>
    </message>
    <message>
      <source>Remove it from the case</source>
      <translation>케이스에서 제거합니다</translation>
    </message>
    <message>
      <source>Remove points that change the outline by less than 0.3 mm</source>
      <translation>모양에 영향이 없는 점을 줄입니다 (0.3 mm)</translation>
    </message>
    <message>
      <source>Remove {name} from the comparison</source>
      <translation>{name} 비교 끝내기</translation>
    </message>
    <message>
      <source>Rename</source>
      <translation>이름 바꾸기</translation>
    </message>
    <message>
      <source>Rename {name}</source>
      <translation>{name} 이름 바꾸기</translation>
    </message>
    <message>
      <source>Repeatability: contours judged twice</source>
      <translation>반복성: 두 번 판정한 윤곽</translation>
    </message>
    <message>
      <source>Replace</source>
      <translation>바꾸기</translation>
    </message>
    <message>
      <source>Replace drawn slices</source>
      <translation>그려진 슬라이스도 바꾸기</translation>
    </message>
    <message>
      <source>Replace {name}</source>
      <translation>{name} 바꾸기</translation>
    </message>
    <message>
      <source>Research volume, no patient</source>
      <translation>연구용 볼륨, 환자 없음</translation>
    </message>
    <message>
      <source>Restore the automatic contours</source>
      <translation>자동 윤곽으로 되돌립니다</translation>
    </message>
    <message>
      <source>Restore the structures as they were before; Ctrl+Z restores the changes</source>
      <translation>복구 전의 구조물로 돌아갑니다. Ctrl+Z를 누르면 변경이 다시 돌아옵니다</translation>
    </message>
    <message>
      <source>Result</source>
      <translation>결과</translation>
    </message>
    <message>
      <source>Result of the gate</source>
      <translation>검증 결과</translation>
    </message>
    <message>
      <source>Results</source>
      <translation>결과</translation>
    </message>
    <message>
      <source>Retrain now</source>
      <translation>지금 재학습</translation>
    </message>
    <message>
      <source>Retrain the package with approved, corrected cases</source>
      <translation>승인되고 수정된 사례로 패키지를 다시 학습합니다</translation>
    </message>
    <message>
      <source>Revert them</source>
      <translation>되돌리기</translation>
    </message>
    <message>
      <source>Revert to automatic</source>
      <translation>자동 윤곽으로 되돌리기</translation>
    </message>
    <message>
      <source>Reverted; Ctrl+Z restores the changes.</source>
      <translation>되돌렸습니다. Ctrl+Z를 누르면 변경이 다시 돌아옵니다.</translation>
    </message>
    <message>
      <source>Review</source>
      <translation>검토</translation>
    </message>
    <message>
      <source>Right</source>
      <translation>오른쪽 (Rt)</translation>
    </message>
    <message>
      <source>Right (R)</source>
      <translation>오른쪽 (R)</translation>
    </message>
    <message>
      <source>Right drag</source>
      <translation>오른쪽 버튼 드래그</translation>
    </message>
    <message>
      <source>Routine QA</source>
      <translation>정기 QA</translation>
    </message>
    <message>
      <source>Ruler</source>
      <translation>자</translation>
    </message>
    <message>
      <source>Rules and networks</source>
      <translation>규칙과 신경망</translation>
    </message>
    <message>
      <source>STRUCTURE SETS DRAWN ON IT</source>
      <translation>이 CT의 구조물 세트</translation>
    </message>
    <message>
      <source>STRUCTURES</source>
      <translation>구조물</translation>
    </message>
    <message>
      <source>Sagittal</source>
      <translation>시상면</translation>
    </message>
    <message>
      <source>Sample slices</source>
      <translation>예시 단면</translation>
    </message>
    <message>
      <source>Save 3D film</source>
      <translation>3D 동영상 저장</translation>
    </message>
    <message>
      <source>Save 3D film…</source>
      <translation>3D 동영상 저장…</translation>
    </message>
    <message>
      <source>Save 3D picture</source>
      <translation>3D 그림 저장</translation>
    </message>
    <message>
      <source>Save 3D picture…</source>
      <translation>3D 그림 저장…</translation>
    </message>
    <message>
      <source>Second</source>
      <translation>둘째 구조물</translation>
    </message>
    <message>
      <source>Series</source>
      <translation>시리즈</translation>
    </message>
    <message>
      <source>Shift + drag</source>
      <translation>Shift + 끌기</translation>
    </message>
    <message>
      <source>Shift + wheel</source>
      <translation>Shift + 휠</translation>
    </message>
    <message>
      <source>Shift or rotate the structure</source>
      <translation>구조물을 옮기거나 돌립니다</translation>
    </message>
    <message>
      <source>Shift {name} and rotate it about its centre.</source>
      <translation>{name} 윤곽을 옮기고 중심을 축으로 돌립니다.</translation>
    </message>
    <message>
      <source>Shift+I interpolates over larger gaps.</source>
      <translation>Shift+I로 더 큰 간격도 보간할 수 있습니다.</translation>
    </message>
    <message>
      <source>Show a patient's course: another CT beside this one, the contours of each method, curves over the dates</source>
      <translation>환자의 코스 보기: 다른 CT를 나란히, 방법별 윤곽, 날짜별 곡선</translation>
    </message>
    <message>
      <source>Show all keyboard shortcuts</source>
      <translation>모든 단축키를 한눈에 봅니다</translation>
    </message>
    <message>
      <source>Show how the other slices of the structure would follow the corrected ones</source>
      <translation>구조의 다른 단면이 수정한 단면을 어떻게 따라갈지 표시합니다</translation>
    </message>
    <message>
      <source>Show how the other slices would follow if the outermost drawn ones are the structure's first and last</source>
      <translation>그려진 단면 중 가장 바깥 단면을 구조의 첫 단면과 마지막 단면으로 보고 다른 단면의 변화를 표시합니다</translation>
    </message>
    <message>
      <source>Show nothing, bone, or bone and skin of the CT beside the surfaces</source>
      <translation>표면과 함께 CT의 뼈, 또는 뼈와 피부를 보여 줍니다</translation>
    </message>
    <message>
      <source>Show or hide outlines</source>
      <translation>윤곽 보이기/숨기기</translation>
    </message>
    <message>
      <source>Show other observers' RTSTRUCTs against this one</source>
      <translation>다른 작성자의 RTSTRUCT와 비교해 봅니다</translation>
    </message>
    <message>
      <source>Show the image without outlines</source>
      <translation>윤곽 없이 영상만 봅니다</translation>
    </message>
    <message>
      <source>Show the list of all cases, or go back to the open one</source>
      <translation>모든 케이스의 목록을 표시하거나 열린 케이스로 돌아갑니다</translation>
    </message>
    <message>
      <source>Show the results of commissioning or routine QA, or go back to the views</source>
      <translation>커미셔닝 또는 정기 QA 결과를 표시하거나 화면으로 돌아갑니다</translation>
    </message>
    <message>
      <source>Show the slices that would be filled, also over large gaps</source>
      <translation>채워질 슬라이스를 먼저 표시합니다. 큰 간격도 보간할 수 있습니다</translation>
    </message>
    <message>
      <source>Show the versions and what draws the views</source>
      <translation>버전과 화면을 그리는 방법을 보여 줍니다</translation>
    </message>
    <message>
      <source>Show the whole patient</source>
      <translation>환자 전체를 표시합니다</translation>
    </message>
    <message>
      <source>Side of the box</source>
      <translation>상자 한 변</translation>
    </message>
    <message>
      <source>Similar to the crosshair</source>
      <translation>십자선과 비슷한 조직</translation>
    </message>
    <message>
      <source>Simplify</source>
      <translation>단순화</translation>
    </message>
    <message>
      <source>Site</source>
      <translation>기관</translation>
    </message>
    <message>
      <source>Size of the tool</source>
      <translation>도구 크기</translation>
    </message>
    <message>
      <source>Slice down</source>
      <translation>아래 슬라이스</translation>
    </message>
    <message>
      <source>Slice profile</source>
      <translation>단면별 프로파일</translation>
    </message>
    <message>
      <source>Slice up</source>
      <translation>위 슬라이스</translation>
    </message>
    <message>
      <source>Slices</source>
      <translation>슬라이스</translation>
    </message>
    <message>
      <source>Slices drawn by</source>
      <translation>단면 그리기</translation>
    </message>
    <message>
      <source>Slices drawn by: {renderer}</source>
      <translation>단면 그리기: {renderer}</translation>
    </message>
    <message>
      <source>Slices of the scan, head up. The coloured bar shows where the selected structure is drawn. Shift + drag chooses a range of slices.</source>
      <translation>CT의 슬라이스로 위가 머리 쪽입니다. 색 막대는 선택한 구조물이 그려진 곳입니다. Shift를 누르고 끌면 슬라이스 범위를 고릅니다.</translation>
    </message>
    <message>
      <source>Slices on which the outlines differ by more than 20 mm²; marked at the right of the slider</source>
      <translation>윤곽이 20 mm² 넘게 다른 슬라이스. 슬라이더 오른쪽에 표시됩니다</translation>
    </message>
    <message>
      <source>Slices or parts missing</source>
      <translation>빠진 슬라이스나 부분이 있음</translation>
    </message>
    <message>
      <source>Smaller</source>
      <translation>작게</translation>
    </message>
    <message>
      <source>Smart brush</source>
      <translation>스마트 브러시</translation>
    </message>
    <message>
      <source>Smooth</source>
      <translation>평활화</translation>
    </message>
    <message>
      <source>Smooth all slices</source>
      <translation>모든 슬라이스 평활화</translation>
    </message>
    <message>
      <source>Smooth every outline</source>
      <translation>모든 윤곽을 매끄럽게 합니다</translation>
    </message>
    <message>
      <source>Smooth in range</source>
      <translation>범위에서 평활화</translation>
    </message>
    <message>
      <source>Smooth the outline on this slice</source>
      <translation>이 슬라이스의 윤곽을 매끄럽게 합니다</translation>
    </message>
    <message>
      <source>Smooth the outlines of the range</source>
      <translation>범위의 윤곽을 평활화합니다</translation>
    </message>
    <message>
      <source>Smoothing</source>
      <translation>평활화</translation>
    </message>
    <message>
      <source>Soft tissue</source>
      <translation>연조직</translation>
    </message>
    <message>
      <source>Solid: reference; dotted: network</source>
      <translation>실선: 기준, 점선: 네트워크</translation>
    </message>
    <message>
      <source>Sort by need for review and show why: findings, an uncertain network, not viewed</source>
      <translation>검토가 가장 필요한 구조물부터 이유와 함께 보입니다: 지적 사항, 불확실한 모델, 미확인</translation>
    </message>
    <message>
      <source>Sort by this column; again: the other way round</source>
      <translation>이 열로 정렬합니다. 다시 누르면 반대 순서입니다</translation>
    </message>
    <message>
      <source>Source</source>
      <translation>원본</translation>
    </message>
    <message>
      <source>Spacing</source>
      <translation>간격</translation>
    </message>
    <message>
      <source>Starting…</source>
      <translation>시작하는 중…</translation>
    </message>
    <message>
      <source>Starts or ends on the wrong slice</source>
      <translation>시작 또는 끝 슬라이스가 틀림</translation>
    </message>
    <message>
      <source>State</source>
      <translation>상태</translation>
    </message>
    <message>
      <source>Statistics</source>
      <translation>통계</translation>
    </message>
    <message>
      <source>Step {step}. Solid: reference; dotted: network</source>
      <translation>{step}단계. 실선: 기준, 점선: 네트워크</translation>
    </message>
    <message>
      <source>Still empty: {places}.</source>
      <translation>계속 비어 있음: {places}.</translation>
    </message>
    <message>
      <source>Stop</source>
      <translation>중지</translation>
    </message>
    <message>
      <source>Stopped.</source>
      <translation>중지했습니다.</translation>
    </message>
    <message>
      <source>Stopped; nothing has changed.</source>
      <translation>중지했습니다. 바뀐 것은 없습니다.</translation>
    </message>
    <message>
      <source>Stopped; the next retraining continues it.</source>
      <translation>중지되었습니다. 다음 재학습에서 이어서 진행합니다.</translation>
    </message>
    <message>
      <source>Structure</source>
      <translation>구조물</translation>
    </message>
    <message>
      <source>Structure set label</source>
      <translation>구조물 세트 라벨</translation>
    </message>
    <message>
      <source>Structure sets to open with it</source>
      <translation>함께 열 구조물 세트</translation>
    </message>
    <message>
      <source>Structures</source>
      <translation>구조물</translation>
    </message>
    <message>
      <source>Structures of a site</source>
      <translation>부위별 구조물</translation>
    </message>
    <message>
      <source>Structures to draw</source>
      <translation>그릴 구조물</translation>
    </message>
    <message>
      <source>Structures to export</source>
      <translation>내보낼 구조물</translation>
    </message>
    <message>
      <source>Study</source>
      <translation>검사일</translation>
    </message>
    <message>
      <source>Subtract a structure</source>
      <translation>구조물 빼기</translation>
    </message>
    <message>
      <source>Superior</source>
      <translation>위 (Sup)</translation>
    </message>
    <message>
      <source>Superior (S)</source>
      <translation>머리쪽 (S)</translation>
    </message>
    <message>
      <source>Surface DSC</source>
      <translation>표면 DSC</translation>
    </message>
    <message>
      <source>TG-263 names are suggested as you type.</source>
      <translation>입력하면 TG-263 이름이 제안됩니다.</translation>
    </message>
    <message>
      <source>Tables</source>
      <translation>표</translation>
    </message>
    <message>
      <source>Take back what was recovered</source>
      <translation>복구 내용 되돌리기</translation>
    </message>
    <message>
      <source>Take slice</source>
      <translation>이 단면만 가져오기</translation>
    </message>
    <message>
      <source>Take structure</source>
      <translation>구조물 가져오기</translation>
    </message>
    <message>
      <source>Take {name}</source>
      <translation>{name} 가져오기</translation>
    </message>
    <message>
      <source>Taken for human</source>
      <translation>사람이 그린 것으로 판단됨</translation>
    </message>
    <message>
      <source>Target</source>
      <translation>표적</translation>
    </message>
    <message>
      <source>Target…</source>
      <translation>표적 만들기…</translation>
    </message>
    <message>
      <source>Template</source>
      <translation>템플릿</translation>
    </message>
    <message>
      <source>Test on this CT</source>
      <translation>이 CT로 시험</translation>
    </message>
    <message>
      <source>Testing on this CT</source>
      <translation>이 CT로 시험 중</translation>
    </message>
    <message>
      <source>The 3D view is not complete yet. Try again in a moment.</source>
      <translation>3D 화면이 아직 완성되지 않았습니다. 잠시 후 다시 시도하십시오.</translation>
    </message>
    <message>
      <source>The CT is no longer where it was; it will be searched for.</source>
      <translation>CT가 원래 위치에 없습니다. 열 때 검색합니다.</translation>
    </message>
    <message>
      <source>The CT of this case is no longer in {folder}.</source>
      <translation>이 케이스의 CT가 원래 폴더에 없습니다: {folder}</translation>
    </message>
    <message>
      <source>The answer to the last click is still awaited.</source>
      <translation>이전 클릭의 응답을 기다리고 있습니다.</translation>
    </message>
    <message>
      <source>The axial view shows what it finds on this slice.</source>
      <translation>이 슬라이스에서 찾은 결과가 축상면에 보입니다.</translation>
    </message>
    <message>
      <source>The course has no contours of this structure on this CT.</source>
      <translation>이 코스에는 이 CT에서 이 구조물의 윤곽이 없습니다.</translation>
    </message>
    <message>
      <source>The file is checked, written, read back and compared before it replaces anything.</source>
      <translation>파일은 점검, 저장, 다시 읽기, 대조를 모두 거친 뒤에 완성됩니다.</translation>
    </message>
    <message>
      <source>The film is being recorded; a click in the 3D view cancels it.</source>
      <translation>동영상을 만들고 있습니다. 3D 화면을 클릭하면 취소됩니다.</translation>
    </message>
    <message>
      <source>The film was cancelled; no file was written.</source>
      <translation>동영상이 취소되어 파일을 저장하지 않았습니다.</translation>
    </message>
    <message>
      <source>The first one is called as usual, the others Name^2, Name^3 …; Ctrl+K keeps one.</source>
      <translation>첫 번째는 평소 이름, 나머지는 이름^2, 이름^3 …입니다. Ctrl+K로 하나만 남깁니다.</translation>
    </message>
    <message>
      <source>The first ticked set is opened for editing, the others for comparison.</source>
      <translation>먼저 선택한 세트는 작업용으로, 나머지는 비교용으로 엽니다.</translation>
    </message>
    <message>
      <source>The language changes when the program is started again.</source>
      <translation>언어는 프로그램을 다시 시작하면 바뀝니다.</translation>
    </message>
    <message>
      <source>The outlines of these slices would be deleted.</source>
      <translation>이 슬라이스의 윤곽이 삭제됩니다.</translation>
    </message>
    <message>
      <source>The outlines of these slices would change.</source>
      <translation>이 슬라이스의 윤곽이 변경됩니다.</translation>
    </message>
    <message>
      <source>The outlines of {name} differ too much to interpolate between them.</source>
      <translation>{name}: 윤곽이 서로 너무 달라 사이를 보간할 수 없습니다.</translation>
    </message>
    <message>
      <source>The outlines were hidden; they are shown again.</source>
      <translation>윤곽이 숨겨져 있어 다시 표시했습니다.</translation>
    </message>
    <message>
      <source>The patient's own package</source>
      <translation>환자 전용 패키지</translation>
    </message>
    <message>
      <source>The preview is still being computed.</source>
      <translation>미리보기를 아직 계산하고 있습니다.</translation>
    </message>
    <message>
      <source>The process ended.</source>
      <translation>프로세스가 종료되었습니다.</translation>
    </message>
    <message>
      <source>The program ended unexpectedly</source>
      <translation>프로그램이 예기치 않게 종료되었습니다</translation>
    </message>
    <message>
      <source>The proposal is being computed…</source>
      <translation>제안을 계산하는 중입니다…</translation>
    </message>
    <message>
      <source>The record of {count} patient of the report is missing or of another run; it is not shown.</source>
      <translation>보고서의 환자 {count}명의 기록이 없거나 다른 실행의 것이어서 표시하지 않습니다.</translation>
    </message>
    <message>
      <source>The records of {count} patients of the report are missing or of another run; they are not shown.</source>
      <translation>보고서의 환자 {count}명의 기록이 없거나 다른 실행의 것이어서 표시하지 않습니다.</translation>
    </message>
    <message>
      <source>The review is finished. Last hash, to be written down: {hash}</source>
      <translation>평가를 완료했습니다. 마지막 해시를 적어 두십시오: {hash}</translation>
    </message>
    <message>
      <source>The same in every direction</source>
      <translation>모든 방향 같게</translation>
    </message>
    <message>
      <source>The stroke lies outside the image; nothing was drawn.</source>
      <translation>영상 밖이므로 아무것도 그리지 않았습니다.</translation>
    </message>
    <message>
      <source>The structure has changed meanwhile: ask again.</source>
      <translation>그동안 구조가 변경되었습니다. 다시 요청하십시오.</translation>
    </message>
    <message>
      <source>The views show the result, dashed. F6 makes it again by this recipe after a source changed.</source>
      <translation>결과를 화면에 점선으로 보여 줍니다. 원본이 바뀐 뒤 F6을 누르면 이 레시피로 다시 만듭니다.</translation>
    </message>
    <message>
      <source>The weights of nnInteractive are CC BY-NC-SA 4.0: for non-commercial use only.</source>
      <translation>nnInteractive의 가중치는 CC BY-NC-SA 4.0으로 비상업적 용도로만 쓸 수 있습니다.</translation>
    </message>
    <message>
      <source>There is a case of this scan; its structures are loaded when you open it.</source>
      <translation>이 CT의 케이스가 있습니다. 열면 구조물을 불러옵니다.</translation>
    </message>
    <message>
      <source>There is no candidate yet.</source>
      <translation>아직 후보가 없습니다.</translation>
    </message>
    <message>
      <source>There is no click server: connect to one first (Tools, Click server…).</source>
      <translation>연결된 클릭 서버가 없습니다. 먼저 연결하세요 (도구, 클릭 서버…).</translation>
    </message>
    <message>
      <source>There is nothing to review yet.</source>
      <translation>아직 검토할 것이 없습니다.</translation>
    </message>
    <message>
      <source>These empty slices would be filled.</source>
      <translation>이 빈 슬라이스가 채워집니다.</translation>
    </message>
    <message>
      <source>These structures were edited by hand after they were made. Replace their contours?</source>
      <translation>만든 뒤에 직접 편집한 구조물입니다. 윤곽을 바꿀까요?</translation>
    </message>
    <message>
      <source>These structures were edited by hand or come from a file. Replace their contours?</source>
      <translation>다음 구조물은 직접 편집했거나 파일에서 가져왔습니다. 윤곽을 바꾸시겠습니까?</translation>
    </message>
    <message>
      <source>Thickness</source>
      <translation>두께</translation>
    </message>
    <message>
      <source>This CT shows no structure whose side is known: use another CT.</source>
      <translation>이 CT에는 좌우를 알 수 있는 구조물이 없습니다. 다른 CT를 사용하세요.</translation>
    </message>
    <message>
      <source>This is the last slice of the scan.</source>
      <translation>CT의 마지막 슬라이스입니다.</translation>
    </message>
    <message>
      <source>This position is outside this CT: {date}.</source>
      <translation>이 위치는 이 CT의 범위를 벗어났습니다: {date}.</translation>
    </message>
    <message>
      <source>This scan is open already.</source>
      <translation>이미 열려 있는 CT입니다.</translation>
    </message>
    <message>
      <source>This slice</source>
      <translation>이 슬라이스</translation>
    </message>
    <message>
      <source>This task cannot be shown</source>
      <translation>이 항목을 표시할 수 없습니다</translation>
    </message>
    <message>
      <source>Threshold</source>
      <translation>임계값</translation>
    </message>
    <message>
      <source>Threshold…</source>
      <translation>임계값…</translation>
    </message>
    <message>
      <source>Time of the sample slices</source>
      <translation>예시 단면의 시점</translation>
    </message>
    <message>
      <source>Time study</source>
      <translation>시간 연구</translation>
    </message>
    <message>
      <source>Tissue</source>
      <translation>조직</translation>
    </message>
    <message>
      <source>To</source>
      <translation>상한</translation>
    </message>
    <message>
      <source>To the right</source>
      <translation>오른쪽으로</translation>
    </message>
    <message>
      <source>Too few cases: {new} new ones, and {tests} for the test.</source>
      <translation>사례가 부족합니다. 새 사례 {new}건, 시험용 {tests}건.</translation>
    </message>
    <message>
      <source>Too large</source>
      <translation>너무 큼</translation>
    </message>
    <message>
      <source>Too small</source>
      <translation>너무 작음</translation>
    </message>
    <message>
      <source>Tools</source>
      <translation>도구</translation>
    </message>
    <message>
      <source>Type</source>
      <translation>유형</translation>
    </message>
    <message>
      <source>Type of {name}</source>
      <translation>{name} 유형</translation>
    </message>
    <message>
      <source>Type…</source>
      <translation>유형…</translation>
    </message>
    <message>
      <source>Undo</source>
      <translation>실행 취소</translation>
    </message>
    <message>
      <source>Undo the last step</source>
      <translation>마지막 단계를 취소합니다</translation>
    </message>
    <message>
      <source>Undo {step}</source>
      <translation>실행 취소({step})</translation>
    </message>
    <message>
      <source>Undone: {step}</source>
      <translation>실행 취소: {step}</translation>
    </message>
    <message>
      <source>Unite another source</source>
      <translation>다른 원본 합치기</translation>
    </message>
    <message>
      <source>Unlock {name}</source>
      <translation>{name} 잠금 해제</translation>
    </message>
    <message>
      <source>Up, Down, PgUp, PgDn, wheel</source>
      <translation>위, 아래, PgUp, PgDn, 휠</translation>
    </message>
    <message>
      <source>Use it</source>
      <translation>사용</translation>
    </message>
    <message>
      <source>Use the candidate</source>
      <translation>후보 사용</translation>
    </message>
    <message>
      <source>Use this profile</source>
      <translation>이 프로필 사용</translation>
    </message>
    <message>
      <source>VTK (OpenGL)</source>
      <translation>VTK (OpenGL)</translation>
    </message>
    <message>
      <source>VTK drew a test picture wrongly with this graphics driver.</source>
      <translation>이 그래픽 드라이버에서 VTK가 시험 영상을 잘못 그렸습니다.</translation>
    </message>
    <message>
      <source>Verify on this CT</source>
      <translation>이 CT로 검증</translation>
    </message>
    <message>
      <source>Verifying on this CT</source>
      <translation>이 CT로 검증 중</translation>
    </message>
    <message>
      <source>View</source>
      <translation>보기</translation>
    </message>
    <message>
      <source>Views</source>
      <translation>화면</translation>
    </message>
    <message>
      <source>Volume</source>
      <translation>부피</translation>
    </message>
    <message>
      <source>Volume and HU of the structure</source>
      <translation>구조물의 부피와 HU</translation>
    </message>
    <message>
      <source>Volume difference, cm³</source>
      <translation>부피 차이, cm³</translation>
    </message>
    <message>
      <source>Volume of the set's structure, and its difference from the structure being edited</source>
      <translation>비교 구조물의 부피와, 작업 중인 구조물보다 큰 정도</translation>
    </message>
    <message>
      <source>Volume, method − reference in cm³ (Bland–Altman; failures have no volume)</source>
      <translation>부피 차이, 방법 − 기준, cm³ (Bland–Altman; 그리지 못한 경우 부피 없음)</translation>
    </message>
    <message>
      <source>Was it drawn by a human or by a machine?</source>
      <translation>사람이 그렸습니까, 기계가 그렸습니까?</translation>
    </message>
    <message>
      <source>What is missing is ticked. A structure that is ticked again is replaced, except locked and approved ones.</source>
      <translation>없는 구조물만 선택되어 있습니다. 이미 있는 구조물을 선택하면 바뀝니다. 잠긴 구조물과 승인된 구조물은 그대로입니다.</translation>
    </message>
    <message>
      <source>What was drawn outside the image was left out.</source>
      <translation>영상 밖에 그린 부분은 제외했습니다.</translation>
    </message>
    <message>
      <source>Wheel</source>
      <translation>휠</translation>
    </message>
    <message>
      <source>Where</source>
      <translation>찾을 곳</translation>
    </message>
    <message>
      <source>Why</source>
      <translation>이유</translation>
    </message>
    <message>
      <source>Wilcoxon p</source>
      <translation>Wilcoxon p</translation>
    </message>
    <message>
      <source>Window</source>
      <translation>윈도우</translation>
    </message>
    <message>
      <source>Window and level</source>
      <translation>윈도우/레벨</translation>
    </message>
    <message>
      <source>Window presets</source>
      <translation>윈도우 프리셋</translation>
    </message>
    <message>
      <source>Withdraw</source>
      <translation>취소하기</translation>
    </message>
    <message>
      <source>Withdraw approval</source>
      <translation>승인 취소</translation>
    </message>
    <message>
      <source>Withdraw approval of {name}</source>
      <translation>{name} 승인 취소</translation>
    </message>
    <message>
      <source>Withdraw rejection</source>
      <translation>반려 취소</translation>
    </message>
    <message>
      <source>Withdraw rejection of {name}</source>
      <translation>{name} 반려 취소</translation>
    </message>
    <message>
      <source>Withdraw the approval of {name}?</source>
      <translation>{name} 구조물의 승인을 취소하시겠습니까?</translation>
    </message>
    <message>
      <source>Withdraw the rejection of {name}?</source>
      <translation>{name}: 반려를 취소하시겠습니까?</translation>
    </message>
    <message>
      <source>Worst cases</source>
      <translation>최하위 사례</translation>
    </message>
    <message>
      <source>Would you correct this contour?</source>
      <translation>이 윤곽을 수정하시겠습니까?</translation>
    </message>
    <message>
      <source>Would you correct this? (95 % intervals)</source>
      <translation>수정하시겠습니까? (95 % 구간)</translation>
    </message>
    <message>
      <source>Would you correct this? By the method that drew the contour (95 % intervals)</source>
      <translation>수정하시겠습니까? 윤곽을 그린 방법별 (95 % 구간)</translation>
    </message>
    <message>
      <source>Write one turn of the 3D view to an animated PNG file</source>
      <translation>3D 화면의 한 바퀴 회전을 애니메이션 PNG 파일로 저장합니다</translation>
    </message>
    <message>
      <source>Write the 3D view to a PNG file</source>
      <translation>3D 화면을 PNG 파일로 저장합니다</translation>
    </message>
    <message>
      <source>Wrong organ or side</source>
      <translation>장기 또는 좌우가 틀림</translation>
    </message>
    <message>
      <source>Y all · Shift+Y this slice · Alt+Up, Alt+Down from here · Shift+F8 ends · Esc dismiss</source>
      <translation>Y 모두 · Shift+Y 이 단면 · Alt+Up, Alt+Down 여기부터 · Shift+F8 그린 단면에서 끝남 · Esc 닫기</translation>
    </message>
    <message>
      <source>You approve the ticked structures in their present state. They are protected from changes until the approval is withdrawn.</source>
      <translation>선택한 구조물을 현재 상태로 승인합니다. 승인을 취소할 때까지 변경할 수 없습니다.</translation>
    </message>
    <message>
      <source>You approve {name} in its present state. It is protected from changes until the approval is withdrawn.</source>
      <translation>{name} 구조물을 현재 상태로 승인합니다. 승인을 취소할 때까지 변경할 수 없습니다.</translation>
    </message>
    <message>
      <source>You do not accept {name} in its present state. It is not exported.</source>
      <translation>{name}: 현재 상태를 받아들이지 않습니다. 내보내지 않습니다.</translation>
    </message>
    <message>
      <source>You have not viewed slice {places}, where a finding points (N goes there).</source>
      <translation>지적 사항이 있는 슬라이스 {places}번을 아직 확인하지 않았습니다 (N 키로 이동).</translation>
    </message>
    <message>
      <source>You have not viewed slices {places}, where a finding points (N goes there).</source>
      <translation>지적 사항이 있는 슬라이스 {places}번을 아직 확인하지 않았습니다 (N 키로 이동).</translation>
    </message>
    <message>
      <source>Your name</source>
      <translation>이름</translation>
    </message>
    <message>
      <source>Your name in the review (letters, digits, _ and -; not a patient's):</source>
      <translation>검토에서 사용할 이름 (영문자, 숫자, _ 및 -; 환자 이름은 안 됨):</translation>
    </message>
    <message>
      <source>Your name: I have looked at the picture, and left is left</source>
      <translation>이름: 그림을 살펴보았고 좌우가 맞습니다</translation>
    </message>
    <message>
      <source>Your work</source>
      <translation>작업 내용</translation>
    </message>
    <message>
      <source>Zoom</source>
      <translation>확대/축소</translation>
    </message>
    <message>
      <source>a structure that is no longer there</source>
      <translation>삭제된 구조물</translation>
    </message>
    <message>
      <source>about {minutes} min left</source>
      <translation>약 {minutes}분 남음</translation>
    </message>
    <message>
      <source>about {seconds} s left</source>
      <translation>약 {seconds}초 남음</translation>
    </message>
    <message>
      <source>above {number} HU</source>
      <translation>{number} HU 초과</translation>
    </message>
    <message>
      <source>added path approved mm</source>
      <translation>추가 경로, 승인 mm</translation>
    </message>
    <message>
      <source>added path drawn mm</source>
      <translation>추가 경로, 직접 그림 mm</translation>
    </message>
    <message>
      <source>added path length</source>
      <translation>추가 경로 길이</translation>
    </message>
    <message>
      <source>alarm</source>
      <translation>경보</translation>
    </message>
    <message>
      <source>all</source>
      <translation>전체</translation>
    </message>
    <message>
      <source>all slices</source>
      <translation>모든 슬라이스</translation>
    </message>
    <message>
      <source>and  (intersection)</source>
      <translation>and  (교집합)</translation>
    </message>
    <message>
      <source>and {count} more: see the tooltip in the list</source>
      <translation>외 {count}건: 목록의 도움말에서 확인하세요</translation>
    </message>
    <message>
      <source>any HU</source>
      <translation>모든 HU</translation>
    </message>
    <message>
      <source>approved</source>
      <translation>승인됨</translation>
    </message>
    <message>
      <source>approved by</source>
      <translation>승인자</translation>
    </message>
    <message>
      <source>approved by {name}</source>
      <translation>승인: {name}</translation>
    </message>
    <message>
      <source>area</source>
      <translation>면적</translation>
    </message>
    <message>
      <source>area, cm²</source>
      <translation>면적, cm²</translation>
    </message>
    <message>
      <source>asking…</source>
      <translation>응답 대기 중…</translation>
    </message>
    <message>
      <source>autocontour — blind review</source>
      <translation>autocontour — 블라인드 평가</translation>
    </message>
    <message>
      <source>autocontour — contouring</source>
      <translation>autocontour — 컨투어링</translation>
    </message>
    <message>
      <source>automatic</source>
      <translation>자동</translation>
    </message>
    <message>
      <source>automatic taken for machine</source>
      <translation>자동을 기계로 판단</translation>
    </message>
    <message>
      <source>balanced accuracy</source>
      <translation>균형 정확도</translation>
    </message>
    <message>
      <source>baseline incomplete</source>
      <translation>기준 기간 미완료</translation>
    </message>
    <message>
      <source>below {number} HU</source>
      <translation>{number} HU 미만</translation>
    </message>
    <message>
      <source>better than chance</source>
      <translation>우연보다 나음</translation>
    </message>
    <message>
      <source>bias</source>
      <translation>편향</translation>
    </message>
    <message>
      <source>bone</source>
      <translation>뼈</translation>
    </message>
    <message>
      <source>bone and skin</source>
      <translation>뼈와 피부</translation>
    </message>
    <message>
      <source>born</source>
      <translation>생년월일</translation>
    </message>
    <message>
      <source>born {date}</source>
      <translation>생년월일 {date}</translation>
    </message>
    <message>
      <source>by hand</source>
      <translation>직접 그리기</translation>
    </message>
    <message>
      <source>by the anatomy</source>
      <translation>해부 구조로</translation>
    </message>
    <message>
      <source>cannot be used</source>
      <translation>사용할 수 없음</translation>
    </message>
    <message>
      <source>case</source>
      <translation>케이스</translation>
    </message>
    <message>
      <source>checked</source>
      <translation>확인됨</translation>
    </message>
    <message>
      <source>chosen</source>
      <translation>선택됨</translation>
    </message>
    <message>
      <source>chosen automatically</source>
      <translation>자동으로 선택됨</translation>
    </message>
    <message>
      <source>code</source>
      <translation>코드</translation>
    </message>
    <message>
      <source>comparator</source>
      <translation>비교 대상</translation>
    </message>
    <message>
      <source>compared with other contours</source>
      <translation>다른 윤곽과 비교</translation>
    </message>
    <message>
      <source>computing</source>
      <translation>계산 중</translation>
    </message>
    <message>
      <source>confirmed by {name}</source>
      <translation>확인한 사람: {name}</translation>
    </message>
    <message>
      <source>contoured</source>
      <translation>윤곽 완료</translation>
    </message>
    <message>
      <source>contouring beyond the box</source>
      <translation>상자 밖까지 컨투어링 중</translation>
    </message>
    <message>
      <source>contouring exactly</source>
      <translation>exact로 그리는 중</translation>
    </message>
    <message>
      <source>contouring the organs</source>
      <translation>장기 컨투어링 중</translation>
    </message>
    <message>
      <source>corrected</source>
      <translation>수정됨</translation>
    </message>
    <message>
      <source>cropping</source>
      <translation>자르는 중</translation>
    </message>
    <message>
      <source>cut</source>
      <translation>자름</translation>
    </message>
    <message>
      <source>derived: {source}</source>
      <translation>파생: {source}</translation>
    </message>
    <message>
      <source>derived: {source}, edited</source>
      <translation>파생: {source}, 편집됨</translation>
    </message>
    <message>
      <source>difference</source>
      <translation>차이</translation>
    </message>
    <message>
      <source>distance of the centroids</source>
      <translation>중심 간 거리</translation>
    </message>
    <message>
      <source>down the screen</source>
      <translation>화면 아래로</translation>
    </message>
    <message>
      <source>drawing</source>
      <translation>그리는 중</translation>
    </message>
    <message>
      <source>drawing the contours</source>
      <translation>윤곽을 그리는 중</translation>
    </message>
    <message>
      <source>drawing {name}</source>
      <translation>{name} 그리는 중</translation>
    </message>
    <message>
      <source>drawn</source>
      <translation>직접 그림</translation>
    </message>
    <message>
      <source>drawn by hand</source>
      <translation>직접 그림</translation>
    </message>
    <message>
      <source>edited</source>
      <translation>수정됨</translation>
    </message>
    <message>
      <source>edited since</source>
      <translation>이후 수정됨</translation>
    </message>
    <message>
      <source>edited: {by}</source>
      <translation>편집됨: {by}</translation>
    </message>
    <message>
      <source>empty</source>
      <translation>비어 있음</translation>
    </message>
    <message>
      <source>every change is saved</source>
      <translation>모든 변경이 저장됩니다</translation>
    </message>
    <message>
      <source>failures</source>
      <translation>실패</translation>
    </message>
    <message>
      <source>feature</source>
      <translation>특징</translation>
    </message>
    <message>
      <source>feet first, on the left side</source>
      <translation>발 먼저, 왼쪽으로 누움</translation>
    </message>
    <message>
      <source>feet first, on the right side</source>
      <translation>발 먼저, 오른쪽으로 누움</translation>
    </message>
    <message>
      <source>feet first, prone</source>
      <translation>발 먼저, 엎드림</translation>
    </message>
    <message>
      <source>feet first, supine</source>
      <translation>발 먼저, 바로 누움</translation>
    </message>
    <message>
      <source>fewer than 3 sets</source>
      <translation>세트 3개 미만</translation>
    </message>
    <message>
      <source>figure</source>
      <translation>수치</translation>
    </message>
    <message>
      <source>first</source>
      <translation>첫째</translation>
    </message>
    <message>
      <source>first margin</source>
      <translation>첫째 마진</translation>
    </message>
    <message>
      <source>for comparison</source>
      <translation>비교용</translation>
    </message>
    <message>
      <source>from</source>
      <translation>하한</translation>
    </message>
    <message>
      <source>from a file</source>
      <translation>파일에서 가져옴</translation>
    </message>
    <message>
      <source>gap</source>
      <translation>간격</translation>
    </message>
    <message>
      <source>growing</source>
      <translation>넓히는 중</translation>
    </message>
    <message>
      <source>grown by</source>
      <translation>마진</translation>
    </message>
    <message>
      <source>head first, on the left side</source>
      <translation>머리 먼저, 왼쪽으로 누움</translation>
    </message>
    <message>
      <source>head first, on the right side</source>
      <translation>머리 먼저, 오른쪽으로 누움</translation>
    </message>
    <message>
      <source>head first, prone</source>
      <translation>머리 먼저, 엎드림</translation>
    </message>
    <message>
      <source>head first, supine</source>
      <translation>머리 먼저, 바로 누움</translation>
    </message>
    <message>
      <source>highest difference</source>
      <translation>최대 차이</translation>
    </message>
    <message>
      <source>identical pairs (left out)</source>
      <translation>동일한 쌍(제외)</translation>
    </message>
    <message>
      <source>in work</source>
      <translation>작업 중</translation>
    </message>
    <message>
      <source>inside</source>
      <translation>범위 안</translation>
    </message>
    <message>
      <source>installed</source>
      <translation>설치됨</translation>
    </message>
    <message>
      <source>interpolating</source>
      <translation>보간 중</translation>
    </message>
    <message>
      <source>interval by</source>
      <translation>구간 계산 방법</translation>
    </message>
    <message>
      <source>items</source>
      <translation>항목</translation>
    </message>
    <message>
      <source>joining</source>
      <translation>합치는 중</translation>
    </message>
    <message>
      <source>level</source>
      <translation>유의수준</translation>
    </message>
    <message>
      <source>limit</source>
      <translation>한계값</translation>
    </message>
    <message>
      <source>limits of agreement</source>
      <translation>일치 한계</translation>
    </message>
    <message>
      <source>locked</source>
      <translation>잠김</translation>
    </message>
    <message>
      <source>looking for {name}</source>
      <translation>{name} 찾는 중</translation>
    </message>
    <message>
      <source>lower bound</source>
      <translation>하한</translation>
    </message>
    <message>
      <source>lowest</source>
      <translation>최저</translation>
    </message>
    <message>
      <source>lowest difference</source>
      <translation>최소 차이</translation>
    </message>
    <message>
      <source>major</source>
      <translation>큼</translation>
    </message>
    <message>
      <source>manual</source>
      <translation>수동</translation>
    </message>
    <message>
      <source>manual taken for human</source>
      <translation>수동을 사람으로 판단</translation>
    </message>
    <message>
      <source>margin</source>
      <translation>허용 한계</translation>
    </message>
    <message>
      <source>margin of {name}</source>
      <translation>{name}의 마진</translation>
    </message>
    <message>
      <source>mean difference</source>
      <translation>평균 차이</translation>
    </message>
    <message>
      <source>mean difference ± SD</source>
      <translation>평균 차이 ± SD</translation>
    </message>
    <message>
      <source>mean of the reference</source>
      <translation>기준 평균</translation>
    </message>
    <message>
      <source>mean surface distance</source>
      <translation>평균 표면 거리</translation>
    </message>
    <message>
      <source>measure</source>
      <translation>척도</translation>
    </message>
    <message>
      <source>median (quartiles)</source>
      <translation>중앙값(사분위수)</translation>
    </message>
    <message>
      <source>median difference</source>
      <translation>중앙값 차이</translation>
    </message>
    <message>
      <source>method</source>
      <translation>방법</translation>
    </message>
    <message>
      <source>metric</source>
      <translation>지표</translation>
    </message>
    <message>
      <source>minor</source>
      <translation>작음</translation>
    </message>
    <message>
      <source>minus  (difference)</source>
      <translation>minus  (차집합)</translation>
    </message>
    <message>
      <source>minutes</source>
      <translation>분</translation>
    </message>
    <message>
      <source>minutes of {count} approved structure; pauses count {idle} seconds at most</source>
      <translation>승인된 구조물 {count}개의 시간; 멈춘 시간은 최대 {idle}초로 계산</translation>
    </message>
    <message>
      <source>minutes of {count} approved structures; pauses count {idle} seconds at most</source>
      <translation>승인된 구조물 {count}개의 시간; 멈춘 시간은 최대 {idle}초로 계산</translation>
    </message>
    <message>
      <source>n</source>
      <translation>n</translation>
    </message>
    <message>
      <source>no</source>
      <translation>아니요</translation>
    </message>
    <message>
      <source>no click server</source>
      <translation>클릭 서버 없음</translation>
    </message>
    <message>
      <source>no description</source>
      <translation>설명 없음</translation>
    </message>
    <message>
      <source>no errors, {count} warning</source>
      <translation>오류 없음, 경고 {count}건</translation>
    </message>
    <message>
      <source>no errors, {count} warnings</source>
      <translation>오류 없음, 경고 {count}건</translation>
    </message>
    <message>
      <source>no limit</source>
      <translation>제한 없음</translation>
    </message>
    <message>
      <source>no or minor</source>
      <translation>없음 또는 작음</translation>
    </message>
    <message>
      <source>no picture</source>
      <translation>영상 없음</translation>
    </message>
    <message>
      <source>no slice</source>
      <translation>슬라이스 없음</translation>
    </message>
    <message>
      <source>no structure selected</source>
      <translation>선택한 구조물 없음</translation>
    </message>
    <message>
      <source>not approved</source>
      <translation>미승인</translation>
    </message>
    <message>
      <source>not checked</source>
      <translation>확인 안 됨</translation>
    </message>
    <message>
      <source>not contoured yet</source>
      <translation>아직 윤곽 없음</translation>
    </message>
    <message>
      <source>not cropped</source>
      <translation>자르지 않음</translation>
    </message>
    <message>
      <source>not drawn</source>
      <translation>그려지지 않음</translation>
    </message>
    <message>
      <source>not finite</source>
      <translation>유한하지 않음</translation>
    </message>
    <message>
      <source>not in this set</source>
      <translation>이 세트에 없음</translation>
    </message>
    <message>
      <source>not known</source>
      <translation>알 수 없음</translation>
    </message>
    <message>
      <source>not stated</source>
      <translation>명시되지 않음</translation>
    </message>
    <message>
      <source>not used: another has the same name</source>
      <translation>사용 안 함: 이름이 같은 다른 패키지가 있음</translation>
    </message>
    <message>
      <source>note</source>
      <translation>참고</translation>
    </message>
    <message>
      <source>nothing found: {range}</source>
      <translation>여기에는 없음: {range}</translation>
    </message>
    <message>
      <source>off</source>
      <translation>끔</translation>
    </message>
    <message>
      <source>open elsewhere</source>
      <translation>다른 창에서 열림</translation>
    </message>
    <message>
      <source>open here</source>
      <translation>여기서 열림</translation>
    </message>
    <message>
      <source>open in the main window</source>
      <translation>주 창에 열림</translation>
    </message>
    <message>
      <source>or  (union)</source>
      <translation>or  (합집합)</translation>
    </message>
    <message>
      <source>original contours</source>
      <translation>최초 윤곽</translation>
    </message>
    <message>
      <source>out of date: not made yet</source>
      <translation>갱신 필요: 아직 만들지 않음</translation>
    </message>
    <message>
      <source>out of date: {name} changed</source>
      <translation>갱신 필요: {name} 변경됨</translation>
    </message>
    <message>
      <source>p against chance</source>
      <translation>우연 대비 p</translation>
    </message>
    <message>
      <source>pairs</source>
      <translation>쌍</translation>
    </message>
    <message>
      <source>passed</source>
      <translation>통과</translation>
    </message>
    <message>
      <source>patient</source>
      <translation>환자</translation>
    </message>
    <message>
      <source>patients</source>
      <translation>환자 수</translation>
    </message>
    <message>
      <source>position</source>
      <translation>자세</translation>
    </message>
    <message>
      <source>preparing the networks (slow only the first time)</source>
      <translation>모델 준비 중 (처음에만 오래 걸립니다)</translation>
    </message>
    <message>
      <source>protected</source>
      <translation>보호됨</translation>
    </message>
    <message>
      <source>published model</source>
      <translation>공개 모델</translation>
    </message>
    <message>
      <source>question</source>
      <translation>질문</translation>
    </message>
    <message>
      <source>reading</source>
      <translation>읽는 중</translation>
    </message>
    <message>
      <source>reading the CT</source>
      <translation>CT를 읽는 중</translation>
    </message>
    <message>
      <source>reading the structure sets</source>
      <translation>구조물 세트를 읽는 중</translation>
    </message>
    <message>
      <source>reason</source>
      <translation>이유</translation>
    </message>
    <message>
      <source>reference</source>
      <translation>기준</translation>
    </message>
    <message>
      <source>refused</source>
      <translation>거부됨</translation>
    </message>
    <message>
      <source>rejected</source>
      <translation>반려됨</translation>
    </message>
    <message>
      <source>rejected by {name} on {date}: {reason}</source>
      <translation>{name} 님이 {date}에 반려: {reason}</translation>
    </message>
    <message>
      <source>rejected, edited since</source>
      <translation>반려됨, 이후 수정됨</translation>
    </message>
    <message>
      <source>rejected: {reason}</source>
      <translation>반려됨: {reason}</translation>
    </message>
    <message>
      <source>remark</source>
      <translation>참고</translation>
    </message>
    <message>
      <source>replaced</source>
      <translation>다시 그림</translation>
    </message>
    <message>
      <source>resampling to the CT</source>
      <translation>CT 격자로 변환 중</translation>
    </message>
    <message>
      <source>reviewer</source>
      <translation>검토자</translation>
    </message>
    <message>
      <source>reviewers</source>
      <translation>검토자</translation>
    </message>
    <message>
      <source>right</source>
      <translation>정답</translation>
    </message>
    <message>
      <source>rules</source>
      <translation>규칙</translation>
    </message>
    <message>
      <source>run only in the box of {structures}, which {finder} finds: import that as well</source>
      <translation>{structures}의 상자 안에서만 실행되며 이 상자는 {finder}이(가) 찾습니다. 그 모델도 가져오십시오</translation>
    </message>
    <message>
      <source>same answer</source>
      <translation>같은 답</translation>
    </message>
    <message>
      <source>saved</source>
      <translation>절약</translation>
    </message>
    <message>
      <source>saved in the same case</source>
      <translation>같은 케이스에서 절약</translation>
    </message>
    <message>
      <source>scanning the folder</source>
      <translation>폴더를 검색하는 중</translation>
    </message>
    <message>
      <source>searching the range</source>
      <translation>범위를 찾는 중</translation>
    </message>
    <message>
      <source>second</source>
      <translation>둘째</translation>
    </message>
    <message>
      <source>second margin</source>
      <translation>둘째 마진</translation>
    </message>
    <message>
      <source>series</source>
      <translation>시리즈</translation>
    </message>
    <message>
      <source>set</source>
      <translation>세트</translation>
    </message>
    <message>
      <source>set or method</source>
      <translation>세트 또는 방법</translation>
    </message>
    <message>
      <source>set {count}</source>
      <translation>세트 {count}</translation>
    </message>
    <message>
      <source>sets</source>
      <translation>세트</translation>
    </message>
    <message>
      <source>share</source>
      <translation>비율</translation>
    </message>
    <message>
      <source>shown</source>
      <translation>입증됨</translation>
    </message>
    <message>
      <source>shrinking</source>
      <translation>줄이는 중</translation>
    </message>
    <message>
      <source>signal</source>
      <translation>신호</translation>
    </message>
    <message>
      <source>significant</source>
      <translation>유의함</translation>
    </message>
    <message>
      <source>slice {number}: DSC {dsc}, added path {length} mm</source>
      <translation>단면 {number}: DSC {dsc}, 추가 경로 {length} mm</translation>
    </message>
    <message>
      <source>slice&amp;nbsp;{places}</source>
      <translation>슬라이스&amp;nbsp;{places}</translation>
    </message>
    <message>
      <source>slices</source>
      <translation>슬라이스 처리 중</translation>
    </message>
    <message>
      <source>slices {places}</source>
      <translation>슬라이스 {places}</translation>
    </message>
    <message>
      <source>slices&amp;nbsp;{places}</source>
      <translation>슬라이스&amp;nbsp;{places}</translation>
    </message>
    <message>
      <source>smaller than a voxel</source>
      <translation>복셀보다 작음</translation>
    </message>
    <message>
      <source>source</source>
      <translation>출처</translation>
    </message>
    <message>
      <source>source of the margin</source>
      <translation>허용 한계의 출처</translation>
    </message>
    <message>
      <source>source {name} deleted</source>
      <translation>원본 {name} 삭제됨</translation>
    </message>
    <message>
      <source>source {name} is empty</source>
      <translation>원본 {name} 비어 있음</translation>
    </message>
    <message>
      <source>spacing mm z × y × x</source>
      <translation>간격 mm z × y × x</translation>
    </message>
    <message>
      <source>stable</source>
      <translation>안정</translation>
    </message>
    <message>
      <source>structure</source>
      <translation>구조물</translation>
    </message>
    <message>
      <source>structure sets (SHA-256)</source>
      <translation>구조물 세트 (SHA-256)</translation>
    </message>
    <message>
      <source>structures</source>
      <translation>구조물</translation>
    </message>
    <message>
      <source>surface DSC median</source>
      <translation>표면 DSC 중앙값</translation>
    </message>
    <message>
      <source>t test p</source>
      <translation>t 검정 p</translation>
    </message>
    <message>
      <source>taken for human</source>
      <translation>사람으로 판단</translation>
    </message>
    <message>
      <source>tau mm</source>
      <translation>tau mm</translation>
    </message>
    <message>
      <source>the program</source>
      <translation>프로그램</translation>
    </message>
    <message>
      <source>there already: {by}</source>
      <translation>이미 있음: {by}</translation>
    </message>
    <message>
      <source>to</source>
      <translation>상한</translation>
    </message>
    <message>
      <source>to the right of the screen</source>
      <translation>화면 오른쪽으로</translation>
    </message>
    <message>
      <source>too few patients</source>
      <translation>환자 수 부족</translation>
    </message>
    <message>
      <source>unedited</source>
      <translation>수정 없음</translation>
    </message>
    <message>
      <source>unpaired</source>
      <translation>짝 없음</translation>
    </message>
    <message>
      <source>value</source>
      <translation>값</translation>
    </message>
    <message>
      <source>volume approved %</source>
      <translation>부피, 승인 %</translation>
    </message>
    <message>
      <source>volume drawn %</source>
      <translation>부피, 직접 그림 %</translation>
    </message>
    <message>
      <source>voxels</source>
      <translation>복셀</translation>
    </message>
    <message>
      <source>waits for {name}</source>
      <translation>{name} 대기 중</translation>
    </message>
    <message>
      <source>with automatic contours</source>
      <translation>자동 윤곽 사용</translation>
    </message>
    <message>
      <source>within</source>
      <translation>범위 내</translation>
    </message>
    <message>
      <source>within ⌀ {width:.0f} mm   range × {breadth:.2f}</source>
      <translation>범위 ⌀ {width:.0f} mm   HU 폭 × {breadth:.2f}</translation>
    </message>
    <message>
      <source>without a date</source>
      <translation>날짜 없음</translation>
    </message>
    <message>
      <source>writing the structure set</source>
      <translation>구조물 세트를 저장하는 중</translation>
    </message>
    <message>
      <source>yes</source>
      <translation>예</translation>
    </message>
    <message>
      <source>{approved}/{count} approved</source>
      <translation>{approved}/{count} 승인</translation>
    </message>
    <message>
      <source>{area} cm² of the stroke lie outside {external} (slice {slices}).</source>
      <translation>그린 부분 중 {area} cm²가 {external} 밖에 있습니다(슬라이스 {slices}).</translation>
    </message>
    <message>
      <source>{by}, off by default</source>
      <translation>{by}, 기본 꺼짐</translation>
    </message>
    <message>
      <source>{cc} cm³; source {source} cm³</source>
      <translation>{cc} cm³; 원본 {source} cm³</translation>
    </message>
    <message>
      <source>{count} CASE</source>
      <translation>케이스 {count}건</translation>
    </message>
    <message>
      <source>{count} CASES</source>
      <translation>케이스 {count}건</translation>
    </message>
    <message>
      <source>{count} change recovered after the program had ended unexpectedly: {steps}.</source>
      <translation>비정상 종료 후 변경 {count}건을 복구했습니다: {steps}.</translation>
    </message>
    <message>
      <source>{count} change, the last on {date} at {time}</source>
      <translation>변경 {count}건, 마지막 {date} {time}</translation>
    </message>
    <message>
      <source>{count} changes recovered after the program had ended unexpectedly: {steps}.</source>
      <translation>비정상 종료 후 변경 {count}건을 복구했습니다: {steps}.</translation>
    </message>
    <message>
      <source>{count} changes, the last on {date} at {time}</source>
      <translation>변경 {count}건, 마지막 {date} {time}</translation>
    </message>
    <message>
      <source>{count} contour</source>
      <translation>윤곽 {count}개</translation>
    </message>
    <message>
      <source>{count} contour up to {last}</source>
      <translation>{last}까지 윤곽 {count}개</translation>
    </message>
    <message>
      <source>{count} contours</source>
      <translation>윤곽 {count}개</translation>
    </message>
    <message>
      <source>{count} contours up to {last}</source>
      <translation>{last}까지 윤곽 {count}개</translation>
    </message>
    <message>
      <source>{count} empty slice filled: {places}</source>
      <translation>빈 슬라이스 {count}개 채움: {places}</translation>
    </message>
    <message>
      <source>{count} empty slices filled: {places}</source>
      <translation>빈 슬라이스 {count}개 채움: {places}</translation>
    </message>
    <message>
      <source>{count} error must be fixed first</source>
      <translation>먼저 오류 {count}건을 수정해야 합니다</translation>
    </message>
    <message>
      <source>{count} errors must be fixed first</source>
      <translation>먼저 오류 {count}건을 수정해야 합니다</translation>
    </message>
    <message>
      <source>{count} keep their own names</source>
      <translation>{count}개는 원래 이름 유지</translation>
    </message>
    <message>
      <source>{count} keeps its own name</source>
      <translation>{count}개는 원래 이름 유지</translation>
    </message>
    <message>
      <source>{count} label</source>
      <translation>라벨 {count}개</translation>
    </message>
    <message>
      <source>{count} labels</source>
      <translation>라벨 {count}개</translation>
    </message>
    <message>
      <source>{count} patient</source>
      <translation>환자 {count}명</translation>
    </message>
    <message>
      <source>{count} patients</source>
      <translation>환자 {count}명</translation>
    </message>
    <message>
      <source>{count} reviewer</source>
      <translation>검토자 {count}명</translation>
    </message>
    <message>
      <source>{count} reviewers</source>
      <translation>검토자 {count}명</translation>
    </message>
    <message>
      <source>{count} scan</source>
      <translation>CT {count}건</translation>
    </message>
    <message>
      <source>{count} scans</source>
      <translation>CT {count}건</translation>
    </message>
    <message>
      <source>{count} slice</source>
      <translation>슬라이스 {count}개</translation>
    </message>
    <message>
      <source>{count} slice accepted.</source>
      <translation>단면 {count}장을 수락했습니다.</translation>
    </message>
    <message>
      <source>{count} slice changed.</source>
      <translation>슬라이스 {count}개를 변경했습니다.</translation>
    </message>
    <message>
      <source>{count} slice changed: {places}</source>
      <translation>슬라이스 {count}개 변경: {places}</translation>
    </message>
    <message>
      <source>{count} slice deleted: {places}</source>
      <translation>슬라이스 {count}개 삭제: {places}</translation>
    </message>
    <message>
      <source>{count} slice interpolated.</source>
      <translation>사이 슬라이스 {count}개를 그렸습니다.</translation>
    </message>
    <message>
      <source>{count} slice is added</source>
      <translation>단면 {count}장 추가</translation>
    </message>
    <message>
      <source>{count} slice is deleted</source>
      <translation>단면 {count}장 삭제</translation>
    </message>
    <message>
      <source>{count} slice moves by {far} mm</source>
      <translation>단면 {count}장이 {far} mm 이동</translation>
    </message>
    <message>
      <source>{count} slice of {mm} mm</source>
      <translation>{mm} mm 슬라이스 {count}개</translation>
    </message>
    <message>
      <source>{count} slices</source>
      <translation>슬라이스 {count}개</translation>
    </message>
    <message>
      <source>{count} slices accepted.</source>
      <translation>단면 {count}장을 수락했습니다.</translation>
    </message>
    <message>
      <source>{count} slices are added</source>
      <translation>단면 {count}장 추가</translation>
    </message>
    <message>
      <source>{count} slices are deleted</source>
      <translation>단면 {count}장 삭제</translation>
    </message>
    <message>
      <source>{count} slices changed.</source>
      <translation>슬라이스 {count}개를 변경했습니다.</translation>
    </message>
    <message>
      <source>{count} slices changed: {places}</source>
      <translation>슬라이스 {count}개 변경: {places}</translation>
    </message>
    <message>
      <source>{count} slices deleted: {places}</source>
      <translation>슬라이스 {count}개 삭제: {places}</translation>
    </message>
    <message>
      <source>{count} slices interpolated.</source>
      <translation>사이 슬라이스 {count}개를 그렸습니다.</translation>
    </message>
    <message>
      <source>{count} slices move by up to {far} mm</source>
      <translation>단면 {count}장이 최대 {far} mm 이동</translation>
    </message>
    <message>
      <source>{count} slices of {mm} mm</source>
      <translation>{mm} mm 슬라이스 {count}개</translation>
    </message>
    <message>
      <source>{count} structure</source>
      <translation>구조물 {count}개</translation>
    </message>
    <message>
      <source>{count} structure drawn. Look at it before you approve it.</source>
      <translation>구조물 {count}개를 그렸습니다. 확인한 뒤에 승인하세요.</translation>
    </message>
    <message>
      <source>{count} structure is not measured here</source>
      <translation>여기서 측정되지 않은 구조물 {count}개</translation>
    </message>
    <message>
      <source>{count} structure of {name} opened.</source>
      <translation>{name}: 구조물 {count}개를 열었습니다.</translation>
    </message>
    <message>
      <source>{count} structure opened.</source>
      <translation>구조물 {count}개를 열었습니다.</translation>
    </message>
    <message>
      <source>{count} structure set</source>
      <translation>구조물 세트 {count}개</translation>
    </message>
    <message>
      <source>{count} structure sets</source>
      <translation>구조물 세트 {count}개</translation>
    </message>
    <message>
      <source>{count} structure to draw</source>
      <translation>그릴 구조물 {count}개</translation>
    </message>
    <message>
      <source>{count} structure was refreshed.</source>
      <translation>구조물 {count}개를 갱신했습니다.</translation>
    </message>
    <message>
      <source>{count} structure written to {file}, {status}.</source>
      <translation>구조물 {count}개를 {file} 파일에 저장했습니다 ({status}).</translation>
    </message>
    <message>
      <source>{count} structures</source>
      <translation>구조물 {count}개</translation>
    </message>
    <message>
      <source>{count} structures are not measured here</source>
      <translation>여기서 측정되지 않은 구조물 {count}개</translation>
    </message>
    <message>
      <source>{count} structures drawn. Look at each before you approve it.</source>
      <translation>구조물 {count}개를 그렸습니다. 하나씩 확인한 뒤에 승인하세요.</translation>
    </message>
    <message>
      <source>{count} structures of {name} opened.</source>
      <translation>{name}: 구조물 {count}개를 열었습니다.</translation>
    </message>
    <message>
      <source>{count} structures opened.</source>
      <translation>구조물 {count}개를 열었습니다.</translation>
    </message>
    <message>
      <source>{count} structures to draw</source>
      <translation>그릴 구조물 {count}개</translation>
    </message>
    <message>
      <source>{count} structures were refreshed.</source>
      <translation>구조물 {count}개를 갱신했습니다.</translation>
    </message>
    <message>
      <source>{count} structures written to {file}, {status}.</source>
      <translation>구조물 {count}개를 {file} 파일에 저장했습니다 ({status}).</translation>
    </message>
    <message>
      <source>{file} written.</source>
      <translation>{file} 파일을 저장했습니다.</translation>
    </message>
    <message>
      <source>{file} written. The patient's face may be recognisable in it.</source>
      <translation>{file} 파일을 저장했습니다. 환자의 얼굴을 알아볼 수 있을지도 모릅니다.</translation>
    </message>
    <message>
      <source>{low} to {high} HU</source>
      <translation>{low} ~ {high} HU</translation>
    </message>
    <message>
      <source>{minutes:.1f} min of editing</source>
      <translation>편집 {minutes:.1f}분</translation>
    </message>
    <message>
      <source>{name}   (not in the nomenclature)</source>
      <translation>{name}   (명명법에 없음)</translation>
    </message>
    <message>
      <source>{name}   ·   CT not found here: search for it</source>
      <translation>{name}   ·   CT가 여기에 없음: 검색</translation>
    </message>
    <message>
      <source>{name} (deleted)</source>
      <translation>{name} (삭제됨)</translation>
    </message>
    <message>
      <source>{name} against</source>
      <translation>{name} 비교</translation>
    </message>
    <message>
      <source>{name} cannot be drawn on this scan?</source>
      <translation>이 영상에서 {name}을(를) 그릴 수 없습니까?</translation>
    </message>
    <message>
      <source>{name} changed meanwhile; nothing was refreshed. Do it again.</source>
      <translation>{name} 구조물이 그동안 바뀌어 갱신하지 않았습니다. 다시 실행하세요.</translation>
    </message>
    <message>
      <source>{name} exists. Replace it?</source>
      <translation>{name} 파일이 이미 있습니다. 바꿀까요?</translation>
    </message>
    <message>
      <source>{name} has no contour on this slice to copy.</source>
      <translation>{name}: 이 슬라이스에 복사할 윤곽이 없습니다.</translation>
    </message>
    <message>
      <source>{name} has no gap between its slices.</source>
      <translation>{name}: 비어 있는 슬라이스가 없습니다.</translation>
    </message>
    <message>
      <source>{name} is approved; withdraw its approval to change it.</source>
      <translation>{name}: 승인되어 있습니다. 변경하려면 승인을 취소하세요.</translation>
    </message>
    <message>
      <source>{name} is deleted; undo brings it back.</source>
      <translation>{name}: 삭제했습니다. 실행 취소로 되돌릴 수 있습니다.</translation>
    </message>
    <message>
      <source>{name} is kept; undo brings the others back.</source>
      <translation>남긴 구조물: {name}. 실행 취소하면 나머지가 돌아옵니다.</translation>
    </message>
    <message>
      <source>{name} is locked; unlock it to change it.</source>
      <translation>{name}: 잠겨 있습니다. 변경하려면 잠금을 해제하세요.</translation>
    </message>
    <message>
      <source>{name} is protected; unlock it first.</source>
      <translation>{name}: 보호되어 있습니다. 먼저 잠금을 해제하세요.</translation>
    </message>
    <message>
      <source>{name} is ready; it is in the list.</source>
      <translation>{name}: 완료되었습니다. 목록에 있습니다.</translation>
    </message>
    <message>
      <source>{name} is up to date.</source>
      <translation>{name} 구조물은 최신 상태입니다.</translation>
    </message>
    <message>
      <source>{name} on {date}</source>
      <translation>{date}의 {name}</translation>
    </message>
    <message>
      <source>{name} was deleted, another has its name</source>
      <translation>{name} 삭제됨, 다른 구조물이 같은 이름을 씀</translation>
    </message>
    <message>
      <source>{name} was drawn by hand: there are no automatic contours to restore.</source>
      <translation>{name}: 직접 그린 구조물이라 되돌릴 자동 윤곽이 없습니다.</translation>
    </message>
    <message>
      <source>{name} was drawn once only: there is nothing to choose.</source>
      <translation>{name}: 한 번만 그려져 있어 고를 것이 없습니다.</translation>
    </message>
    <message>
      <source>{name} was hidden; it is shown again.</source>
      <translation>{name}: 숨겨져 있어 다시 표시했습니다.</translation>
    </message>
    <message>
      <source>{name}: {seconds} s, lowest DSC with exact {dsc}</source>
      <translation>{name}: {seconds}초, exact와의 최저 DSC {dsc}</translation>
    </message>
    <message>
      <source>{name}: {status}; baseline {n} of {wanted} contours; alarms {alarms}, changes of package {changes}, signals {signals}.</source>
      <translation>{name}: {status}. 기준 윤곽 {wanted}개 중 {n}개, 경보 {alarms}건, 패키지 변경 {changes}건, 신호 {signals}건.</translation>
    </message>
    <message>
      <source>{number} OF {count}</source>
      <translation>{count}개 중 {number}번째</translation>
    </message>
    <message>
      <source>{package}: {new} new cases, {tests} put aside for the test.</source>
      <translation>{package}: 새 사례 {new}건, 시험용 {tests}건.</translation>
    </message>
    <message>
      <source>{patient}, {structure}: reference green, {method} red; key {key} goes back to the results.</source>
      <translation>{patient}, {structure}: 기준은 초록, {method}은(는) 빨강. {key} 키로 결과 화면으로 돌아갑니다.</translation>
    </message>
    <message>
      <source>{plane} view</source>
      <translation>{plane} 화면</translation>
    </message>
    <message>
      <source>{range}, all slices</source>
      <translation>{range}, 여러 슬라이스</translation>
    </message>
    <message>
      <source>{refused}: {names} changed while the dialog was open. Review again.</source>
      <translation>{refused}: 대화 상자가 열린 동안 {names} 구조물이 변경되었습니다. 다시 검토하세요.</translation>
    </message>
    <message>
      <source>{scans} of {patients}.</source>
      <translation>{patients}, {scans}.</translation>
    </message>
    <message>
      <source>{shown} OF {cases}</source>
      <translation>{cases} 중 {shown}건</translation>
    </message>
    <message>
      <source>{slices} fewer</source>
      <translation>{slices} 적음</translation>
    </message>
    <message>
      <source>{structures}: no problems.</source>
      <translation>{structures}: 문제 없음.</translation>
    </message>
    <message>
      <source>{structures}: {problems}.</source>
      <translation>{structures}: {problems}.</translation>
    </message>
    <message>
      <source>{version} has not passed the gate.</source>
      <translation>{version}이(가) 검증을 통과하지 못했습니다.</translation>
    </message>
    <message>
      <source>{version} has passed the gate.</source>
      <translation>{version}이(가) 검증을 통과했습니다.</translation>
    </message>
    <message>
      <source>{version} is in use.</source>
      <translation>{version}을(를) 사용하고 있습니다.</translation>
    </message>
    <message>
      <source>{what} is still being computed: wait for it, or cancel it.</source>
      <translation>{what}: 아직 계산 중입니다. 기다리거나 취소하세요.</translation>
    </message>
    <message>
      <source>{what} was not applied: {names} changed while it was computed. Do it again.</source>
      <translation>{what}: 계산하는 동안 바뀐 구조물({names})이 있어 적용하지 않았습니다. 다시 실행하세요.</translation>
    </message>
    <message>
      <source>{what} was stopped; nothing has changed.</source>
      <translation>{what}: 중단했습니다. 바뀐 것은 없습니다.</translation>
    </message>
    <message>
      <source>± of each limit</source>
      <translation>각 한계의 ±</translation>
    </message>
    <message>
      <source>▲  warning</source>
      <translation>▲  경고</translation>
    </message>
    <message>
      <source>▲ Changed since it was exported.</source>
      <translation>▲ 내보낸 뒤 변경되었습니다.</translation>
    </message>
    <message>
      <source>●  blocked</source>
      <translation>●  차단</translation>
    </message>
    <message>
      <source>Draw the slices between those that are drawn</source>
      <translation type="vanished">그려진 슬라이스 사이를 채워 그립니다</translation>
    </message>
    <message>
      <source>Not approved: {names} changed while the dialog was open. Review again.</source>
      <translation type="vanished">승인하지 않았습니다. 대화 상자가 열려 있는 동안 변경된 구조물: {names}. 다시 검토하세요.</translation>
    </message>
    <message>
      <source>Slices of the scan, head up. The coloured bar shows where the selected structure is drawn.</source>
      <translation type="vanished">CT의 슬라이스입니다(위가 머리 쪽). 색 막대는 선택한 구조물이 그려진 범위입니다.</translation>
    </message>
    <message>
      <source>Y all · Shift+Y this slice · Alt+Up, Alt+Down from here · Esc dismiss</source>
      <translation type="vanished">Y 모두 · Shift+Y 이 단면 · Alt+Up, Alt+Down 여기부터 · Esc 닫기</translation>
    </message>
    <message>
      <source>by</source>
      <translation type="vanished">계산 방법</translation>
    </message>
    <message>
      <source>spacing mm (z, y, x)</source>
      <translation type="vanished">간격 mm (z, y, x)</translation>
    </message>
  </context>
</TS>
